// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/etcd"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/etcd/etcdtest"
)

// piece is a line of the gateway's stream, as etcd 3.6 writes it.
func piece(data []byte) string {
	return `{"result":{"header":{"cluster_id":"1","member_id":"2"},"remaining_bytes":"7","blob":"` +
		base64.StdEncoding.EncodeToString(data) + `","version":"3.6.0"}}`
}

func TestASnapshotIsReadAndVerified(t *testing.T) {
	database := bytes.Repeat([]byte("0123456789abcdef"), 96)
	sum := sha256.Sum256(database)
	whole := append(bytes.Clone(database), sum[:]...)
	for name, c := range map[string]struct {
		lines []string
		fails string
	}{
		"in some pieces":            {[]string{piece(database[:700]), piece(database[700:]), piece(sum[:])}, ""},
		"without a checksum":        {[]string{piece(database)}, "it is not whole"},
		"without a piece":           {[]string{piece(database[512:]), piece(sum[:])}, "its checksum is not"},
		"nothing":                   {[]string{""}, "unexpected end of JSON"},
		"it fails on the way":       {[]string{piece(database), `{"error":{"grpc_code":14,"message":"etcdserver: stopped\u001b"}}`}, "etcdserver: stopped"},
		"a line without end":        {[]string{strings.Repeat("x", 2<<20)}, "token too long"},
		"what is no stream of etcd": {[]string{"<html>"}, "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := etcdtest.Serve(t, "a")
			c2.Snapshot = c.lines
			client, err := etcd.New(c2.CA, c2.Cert, c2.Key)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			err = client.Snapshot(t.Context(), c2.URL("a"), &got)
			if err == nil {
				err = etcd.VerifySnapshot(bytes.NewReader(got.Bytes()), int64(got.Len()))
			}
			if (err == nil) != (c.fails == "") || err != nil && (!strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "\x1b")) {
				t.Errorf("%v, want %q", err, c.fails)
			}
			if c.fails == "" && !bytes.Equal(got.Bytes(), whole) {
				t.Errorf("%d bytes", got.Len())
			}
		})
	}
}

func TestASnapshotThatEtcdRefusesIsNone(t *testing.T) {
	c := etcdtest.Serve(t, "a", "b", "c")
	c.Kill("a")
	client, err := etcd.New(c.CA, c.Cert, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Snapshot(t.Context(), c.URL("a"), failing{}); err == nil {
		t.Error("no error")
	}
	c.Snapshot = []string{piece([]byte("data"))}
	if err := client.Snapshot(t.Context(), c.URL("b"), failing{}); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}

var errFull = errors.New("no space left on device")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
