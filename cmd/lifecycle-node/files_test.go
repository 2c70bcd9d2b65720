// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func TestPlaceWritesAFileWholeWithItsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for _, text := range []string{"first", "second"} {
		if err := place(path, 0o600, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(raw) != text || info.Mode().Perm() != 0o600 {
			t.Errorf("content %q, mode %v, errors %v %v", raw, info.Mode(), err, statErr)
		}
	}
}

func TestTheStateDirectoryMustBeRootsOwn(t *testing.T) {
	base := t.TempDir()
	fresh := filepath.Join(base, "fresh")
	if err := errors.Join(ownDirectory(fresh), ownDirectory(fresh)); err != nil {
		t.Errorf("our own, twice: %v", err)
	}
	open := filepath.Join(base, "open")
	if err := errors.Join(os.Mkdir(open, 0o755), os.Chmod(open, 0o755)); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(base, "link")
	if err := os.Symlink(fresh, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{open, link} {
		if err := ownDirectory(dir); err == nil {
			t.Errorf("%s was taken", dir)
		}
	}
}

func TestTheLockIsHeldByOne(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `mount -t tmpfs tmpfs /run`)
		path := filepath.Join(dir, "lock")
		unlock, err := lock(path)
		hosttest.Must(t, err)
		if _, err := lock(path); err == nil {
			t.Error("a second one got it")
		}
		unlock()
		again, err := lock(path)
		hosttest.Must(t, err)
		again()
	})
}

func TestTheKubeletsNameIsReadFromItsCertificate(t *testing.T) {
	dir := t.TempDir()
	if name, err := kubeletName(filepath.Join(dir, "none")); name != "" || err != nil {
		t.Errorf("without a certificate: %q, %v", name, err)
	}
	for _, text := range []string{"", "junk", "-----BEGIN CERTIFICATE-----\nMIIB"} {
		junk := filepath.Join(dir, "junk")
		if err := os.WriteFile(junk, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if name, err := kubeletName(junk); name != "" || err != nil {
			t.Errorf("%q names %q, %v", text, name, err)
		}
	}
}

func TestAFileThatCannotBeWrittenLeavesTheOldOne(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `mkdir `+dir+`/small; mount -t tmpfs -o size=16k tmpfs `+dir+`/small`)
		path := dir + "/small/state"
		hosttest.Must(t, place(path, 0o600, strings.NewReader("old")))
		if err := place(path, 0o600, strings.NewReader(strings.Repeat("x", 1<<20))); err == nil {
			t.Error("it was written")
		}
		if got := hosttest.Script(t, "cd "+dir+"/small; ls; cat state"); got != "state\nold" {
			t.Errorf("left: %q", got)
		}
	})
}

// Whatever is on the disk, it is an order only where it says all that one says.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"operation":"remove","node":"w","record":{"name":"a","namespace":"b","uid":"c"},"endpoints":["https://a"],"ca":"x",
		"patience":1,"task":{}}`))
	f.Add([]byte(`{"operation":"move","destination":null}`))
	f.Add([]byte(`{"phase":"finished"}`))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		spec, _, err := decodeSpec(raw, operations())
		if err == nil && (spec.Operation != wire.Remove && spec.Operation != wire.Move || spec.Node == "" || spec.Record.UID == "" ||
			spec.Patience <= 0) {
			t.Errorf("an order: %+v", spec)
		}
		if err != nil && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "") {
			t.Errorf("not refused: %v", err)
		}
		if word, err := decodeLastWord(raw); err == nil && word.Phase != wire.Finished && word.Phase != wire.Aborted {
			t.Errorf("a last word: %+v", word)
		}
		if name := nameIn(raw); len(name) > len(raw) {
			t.Errorf("a name: %q", name)
		}
		if _, err := accept(context.Background(), strings.NewReader(string(raw)+"\n"), io.Discard, operations()); err == nil {
			t.Error("a delivery for another machine was accepted")
		}
	})
}
