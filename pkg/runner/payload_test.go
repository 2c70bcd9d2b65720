// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"bytes"
	"compress/gzip"
	"testing"
	"testing/fstest"
)

// payloadSum packs a program as the build does and returns the hash that
// payloadFrom computes for it.
func payloadSum(t *testing.T, program string) string {
	t.Helper()
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	if _, err := zw.Write([]byte(program)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := payloadFrom(fstest.MapFS{"payload/lifecycle-node-linux-amd64.gz": {Data: packed.Bytes()}}, "amd64")
	if err != nil || string(got.Program) != program {
		t.Fatalf("program %q, error %v", got.Program, err)
	}
	return got.SHA256
}
