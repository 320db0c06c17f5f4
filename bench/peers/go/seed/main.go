// github.com/murphysean/smtp, the server mailhost began from, as its README starts it: everything for example.com is read
// and dropped. Arguments: where it listens, a certificate and its key.
package main

import (
	"crypto/tls"
	"io"
	"log"
	"os"
	"strings"

	"github.com/murphysean/smtp"
)

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	smtp.HandleFunc("*@*", func(envelope *smtp.Envelope) error {
		_, err := io.Copy(io.Discard, envelope.MessageData)
		return err
	})
	server := &smtp.Server{
		Name:        "mx.example.com",
		Addr:        os.Args[1],
		Handler:     smtp.DefaultServeMux,
		TLSConfig:   &tls.Config{Certificates: []tls.Certificate{certificate}},
		Auth:        func(username, password, remoteAddress string) error { return nil },
		Addressable: func(user, address string) bool { return strings.HasSuffix(address, "@example.com") },
	}
	log.Fatal(server.ListenAndServe())
}
