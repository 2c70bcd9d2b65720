// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestTheProgramComesOutAsItWasBuilt(t *testing.T) {
	const program = "program\n"
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	if _, err := zw.Write([]byte(program)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := from(fstest.MapFS{"lifecycle-node-linux-amd64.gz": {Data: packed.Bytes()}}, "amd64")
	if err != nil || string(got.Program) != program || !bytes.Equal(got.Packed, packed.Bytes()) {
		t.Fatalf("program %q, error %v", got.Program, err)
	}
	if want := "fba13a37a73d657dc0f1e671f0dc714f9891dd4da15ec45bd2a6f83e0434648e"; got.SHA256 != want {
		t.Errorf("hash %s, want %s", got.SHA256, want)
	}
}

func TestAPluginWithoutTheNodeProgramSaysHowToBuildIt(t *testing.T) {
	_, err := from(fstest.MapFS{}, "amd64")
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "make build") {
		t.Errorf("error %v, hint %q", err, plan.HintOf(err))
	}
	if _, err := from(fstest.MapFS{}, "riscv64"); !strings.Contains(err.Error(), "riscv64") {
		t.Errorf("error %v", err)
	}
}
