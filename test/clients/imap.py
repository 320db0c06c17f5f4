"""Reads one mailbox over IMAP with Python's imaplib and writes each message's octets to a file."""

import imaplib
import sys

port, user, folder = sys.argv[1:]
with imaplib.IMAP4("127.0.0.1", int(port)) as client:
    client.login(user, "secret")
    status, (count,) = client.select("INBOX")
    assert status == "OK", status
    for number in range(1, int(count) + 1):
        status, parts = client.fetch(str(number), "(RFC822)")
        assert status == "OK", status
        with open(f"{folder}/{number}.eml", "wb") as file:
            file.write(parts[0][1])
print(int(count))
