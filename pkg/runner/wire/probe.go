// SPDX-License-Identifier: Apache-2.0

package wire

import "time"

// ProbeNetwork sends packets between pods; no record, no unit, and nothing on a host.
const ProbeNetwork Operation = "probe"

// ProbePrefix begins each line of JSON that a probe writes.
const ProbePrefix = "kubectl-lifecycle-probe: "

// ProbeCut begins the reason of a stream that opened and was not carried to its end.
const ProbeCut = "it connects, and "

// ProbeHello is the first line of a probe: the pod that it is in.
type ProbeHello struct {
	// MTU is that of the interface with the default route.
	MTU int `json:"mtu"`
}

// ProbeKind is what a probe does.
type ProbeKind string

// The kinds.
const (
	// ProbeTCP sends bytes to another probe, and gets them back.
	ProbeTCP ProbeKind = "tcp"
	// ProbeSized sends one packet to another probe, of the full size of the way there
	// and at most of the job's, which may not be divided, and gets it back.
	ProbeSized ProbeKind = "sized"
	// ProbeName looks up a name.
	ProbeName ProbeKind = "name"
	// ProbeTLS opens a connection to a server of a certificate.
	ProbeTLS ProbeKind = "tls"
)

// ProbeJob is one line that a probe reads.
type ProbeJob struct {
	ID   int       `json:"id"`
	Kind ProbeKind `json:"kind"`
	// To is an address and a port, or a name.
	To string `json:"to"`
	// Size is how long a packet is, with its headers; of TCP, how many bytes.
	Size int `json:"size,omitempty"`
	// CA is what a server is checked by, Server its name.
	CA     []byte        `json:"ca,omitempty"`
	Server string        `json:"server,omitempty"`
	Limit  time.Duration `json:"limit"`
}

// ProbeResult is the answer to a job.
type ProbeResult struct {
	ID int `json:"id"`
	// Why is why it failed; empty if it did not.
	Why string `json:"why,omitempty"`
	// Size is how long a packet was, with its headers.
	Size int `json:"size,omitempty"`
	// Took is how long it took.
	Took time.Duration `json:"took"`
	// Hello is in the first line alone.
	Hello *ProbeHello `json:"hello,omitempty"`
}
