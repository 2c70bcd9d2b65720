// SPDX-License-Identifier: Apache-2.0

// Package wire is what the plugin and the program on a node say to each other.
//
// The plugin streams the program into a pod, and after it one line of JSON: a
// Delivery. From then on the two meet in one object only, the run record: a
// Secret whose data the program PATCHes (phase, events, outcome) and in which
// the plugin leaves its word (Order).
//
//	plugin                         record                       host
//	  │── create ──────────────────▶ preparing
//	  │                              ready ◀──────────── canary ──│
//	  │── order go ────────────────▶ working ◀─────────── events ──│
//	  │                              waiting ◀── a step failed ────│
//	  │── order retry | abort ─────▶                               │
//	  │◀──────────── outcome ─────── finished | aborted ◀──────────│
//
// The package imports the standard library, pkg/plan and pkg/text only, because the
// node side uses it. Everything read from a record is data that a hostile host may have
// written: Parse bounds it and rejects what is malformed.
package wire

import (
	"encoding/json"
	"time"
)

// Operation is a kind of work on a host.
type Operation string

// The operations.
const (
	// Inspect reads the host and prints what it found; no record, no unit.
	Inspect Operation = "inspect"
	// Remove cleans the host.
	Remove Operation = "remove"
	// Move cleans the host and joins it to another cluster.
	Move Operation = "move"
	// DeadMember takes the etcd member of another host, which is dead, out of the
	// cluster of this host's member; no record, no unit. Its word is older than its
	// name, and is what objects of earlier versions are labelled with.
	DeadMember Operation = "bury"
	// Prep says what a host lacks for kubeadm, and mends it; no record, no unit.
	Prep Operation = "prep"
	// Join has kubeadm join a host; no record, no unit.
	Join Operation = "join"
	// Init has kubeadm make a new cluster on a host; no record, no unit.
	Init Operation = "init"
)

// Phase is how far a run has come.
type Phase string

// The phases, in their order.
const (
	// Preparing: the record exists, the program has not spoken yet.
	Preparing Phase = "preparing"
	// Ready: the program runs as a unit on the host and has changed nothing.
	Ready Phase = "ready"
	// Working: the host is being changed.
	Working Phase = "working"
	// Waiting: a step failed; the program waits for retry or abort.
	Waiting Phase = "waiting"
	// Leaving: the outcome is in the record; the program takes itself off the
	// host.
	Leaving Phase = "leaving"
	// Finished: the work is done and the outcome is in the record; the
	// program takes itself off the host, whatever happens to it until then.
	Finished Phase = "finished"
	// Aborted: the way back was taken; the program takes itself off the host. With
	// an error it has refused the host before it changed anything.
	Aborted Phase = "aborted"
)

// Order is the plugin's word to the program.
type Order string

// The orders.
const (
	Go    Order = "go"
	Retry Order = "retry"
	Abort Order = "abort"
)

// The keys of a record's data.
const (
	KeyOperation = "operation"
	KeyNode      = "node"
	// KeyNodeUID is the UID of the Node: one that has joined again has another.
	KeyNodeUID  = "node-uid"
	KeyWho      = "who"
	KeySince    = "since"
	KeyPhase    = "phase"
	KeyOrder    = "order"
	KeyError    = "error"
	KeyEvents   = "events"
	KeyOutcome  = "outcome"
	KeyCordoned = "cordoned"
	// KeyToken is the id of the bootstrap token of the cluster that the host is
	// to join; the id alone opens nothing.
	KeyToken = "token-id"
	// KeyTerms is what the run was told to do, in words: a command that resumes it
	// must mean the same.
	KeyTerms = "terms"
	// KeyAnswer is the packed answer to a question that could not be streamed.
	KeyAnswer = "answer"
	// KeyAlive changes as long as a plugin drives the run, so that a long
	// drain does not use up the program's patience.
	KeyAlive = "alive"
)

// MaxEvents bounds the tail of events that a record keeps; the journal on the
// host has them all.
const MaxEvents = 100

// Ref names one Secret, this very one and no later one of the same name.
type Ref struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
}

// Spec tells the program what to do, where, and whom to tell.
type Spec struct {
	Operation Operation `json:"operation"`
	// Node, MachineID and BootID are those of the Node object; the program
	// refuses a host that is another.
	Node      string `json:"node"`
	MachineID string `json:"machineID"`
	BootID    string `json:"bootID"`
	// Record is empty where the answer is streamed (Inspect, DeadMember).
	Record Ref `json:"record,omitzero"`
	// Endpoints are https URLs of API servers, tried in turn. CA is the PEM
	// bundle they are checked against.
	Endpoints []string `json:"endpoints,omitempty"`
	CA        string   `json:"ca,omitempty"`
	// Patience is how long the program waits for an order before it takes the
	// way back by itself.
	Patience time.Duration `json:"patience,omitempty"`
	// Task is the operation's own input.
	Task json.RawMessage `json:"task,omitempty"`
	// Destination is the cluster to be joined (Move).
	Destination *Destination `json:"destination,omitempty"`
}

// Destination is a cluster that a host is to join.
type Destination struct {
	// Endpoint is HOST:PORT of its API server, CA the PEM bundle that vouches
	// for it, Pins are the public keys in it ("sha256:…").
	Endpoint string   `json:"endpoint"`
	CA       string   `json:"ca"`
	Pins     []string `json:"pins"`
	// Version is its control plane's ("v1.36.3"); empty if it is not known.
	Version string `json:"version,omitempty"`
	// IgnorePreflightErrors are names of kubeadm's checks.
	IgnorePreflightErrors []string `json:"ignorePreflightErrors,omitempty"`
}

// Moved is the outcome of a Move: the host is clean either way.
type Moved struct {
	// Verdict is the host's between the two clusters.
	Verdict json.RawMessage `json:"verdict"`
	// Error is why it could not join; empty if it has.
	Error string `json:"error,omitempty"`
}

// Delivery is the line that follows the program in the stream.
type Delivery struct {
	Spec Spec `json:"spec"`
	// Token authenticates the program; it goes to a file of mode 0600 and
	// nowhere else.
	Token string `json:"token,omitempty"`
	// JoinToken is the bootstrap token for the destination, and as secret.
	JoinToken string `json:"joinToken,omitempty"`
	// CertificateKey opens secret kubeadm-certs for a host that becomes a control
	// plane, and as secret.
	CertificateKey string `json:"certificateKey,omitempty"`
}

// Answer is the last line that the program prints into the stream.
type Answer struct {
	// Started says that the unit runs; false of what is answered at once.
	Started bool `json:"started,omitempty"`
	// Result is the output of an operation that is answered at once.
	Result json.RawMessage `json:"result,omitempty"`
	// Error is set when the program refused or failed, with its way out.
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
	// Changed says that the host may have been changed before that.
	Changed bool `json:"changed,omitempty"`
}

// Advice is a way out that a host tells, with whose word it is: what is to be done is
// read as this program's advice, and a host that was taken over may ask for
// anything. Empty for none.
func Advice(node, said string) string {
	if said == "" {
		return ""
	}
	return "the host of " + node + " advises: " + said
}

// AnswerPrefix begins the line that holds an Answer, so that a warning of the
// container's shell is not taken for one.
const AnswerPrefix = "kubectl-lifecycle-answer:"

// Before its answer, a program on a host may write lines of JSON strings: SayPrefix begins
// what it is doing, SendPrefix the name of a file that it asks for. The file comes back in
// its standard input, after a line with its length.
const (
	SayPrefix  = "kubectl-lifecycle-says:"
	SendPrefix = "kubectl-lifecycle-send:"
)

// EncodeEvents joins the last MaxEvents events, one JSON object a line.
func EncodeEvents(events []Numbered) ([]byte, error) {
	if len(events) > MaxEvents {
		events = events[len(events)-MaxEvents:]
	}
	var out []byte
	for _, e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		out = append(append(out, line...), '\n')
	}
	return out, nil
}
