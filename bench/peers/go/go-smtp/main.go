// github.com/emersion/go-smtp as its example starts it, without that one's limits: everything for example.com is read and
// dropped. Arguments: where it listens, a certificate and its key.
package main

import (
	"crypto/tls"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

type backend struct{}

func (backend) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{}, nil }

type session struct{}

func (*session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (*session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(identity, username, password string) error { return nil }), nil
}

func (*session) Mail(string, *smtp.MailOptions) error { return nil }

func (*session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasSuffix(to, "@example.com") {
		return nil
	}
	return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Relaying denied"}
}

func (*session) Data(body io.Reader) error {
	_, err := io.Copy(io.Discard, body)
	return err
}

func (*session) Reset() {}

func (*session) Logout() error { return nil }

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	server := smtp.NewServer(backend{})
	server.Addr = os.Args[1]
	server.Domain = "mx.example.com"
	server.ReadTimeout = 5 * time.Minute
	server.WriteTimeout = 5 * time.Minute
	server.AllowInsecureAuth = true
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	log.Fatal(server.ListenAndServe())
}
