"""Hands in one message per case with Python's smtplib. Prints a line per case; exits 1 on the first failure."""

import smtplib
import ssl
import sys

transfer, submission, submissions, certificate, password, folder = sys.argv[1:]
context = ssl.create_default_context(cafile=certificate)


def octets(name):
    with open(f"{folder}/{name}", "rb") as file:
        return file.read()


def plain(client, name, to, options=()):
    refused = client.sendmail("jane@example.com", to, octets(name), mail_options=list(options))
    assert refused == {}, refused


with smtplib.SMTP("localhost", int(transfer)) as client:
    plain(client, "plain.eml", ["py-plain@example.com"])
    plain(client, "eight.eml", ["py-eight@example.com"], ["BODY=8BITMIME"])
    plain(client, "big.eml", ["py-big@example.com"])
    plain(client, "plain.eml", [f"py{index}@example.com" for index in range(100)])
    print("transfer")

with smtplib.SMTP("localhost", int(transfer)) as client:
    client.ehlo()
    assert client.has_extn("smtputf8")
    plain(client, "plain.eml", ["py-jös@bücher.example"], ["SMTPUTF8", "BODY=8BITMIME"])
    print("smtputf8")

with smtplib.SMTP("localhost", int(transfer)) as client:
    client.helo("vm")
    plain(client, "plain.eml", ["py-helo@example.com"])
    print("helo")

for initial in (True, False):
    with smtplib.SMTP("localhost", int(submission)) as client:
        client.starttls(context=context)
        client.login("jane@example.com", password, initial_response_ok=initial)
        plain(client, "plain.eml", ["py-auth@example.com"])
        print("auth", initial)

with smtplib.SMTP_SSL("localhost", int(submissions), context=context) as client:
    client.login("jane@example.com", password)
    plain(client, "big.eml", ["py-ssl@example.com"])
    print("ssl")

with smtplib.SMTP("localhost", int(submission)) as client:
    client.starttls(context=context)
    try:
        client.login("jane@example.com", "wrong")
        sys.exit("a wrong password got in")
    except smtplib.SMTPAuthenticationError as error:
        assert error.smtp_code == 535, error
    print("wrong password")
