// What bench/peers/go-peers.mts compiles. go-smtp is the last that Go 1.19 takes, as Debian 12 has it.
module mailhost.test/bench

go 1.19

require (
	github.com/emersion/go-sasl v0.0.0-20241020182733-b788ff22d5a6
	github.com/emersion/go-smtp v0.21.3
	github.com/murphysean/smtp v0.0.0-20200123224644-1850e263bd61
)
