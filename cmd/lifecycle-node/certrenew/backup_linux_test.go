// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

func all() []string { return []string{"admin.conf", "apiserver", "scheduler.conf"} }

// link puts a link in the place of a file.
func (b *bed) link(path, to string) {
	b.t.Helper()
	at := filepath.Join(b.root, path)
	if err := errors.Join(os.Remove(at), os.Symlink(b.root+to, at)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) script(steps ...error) {
	b.t.Helper()
	if err := errors.Join(steps...); err != nil {
		b.t.Fatal(err)
	}
}

func TestWhatWasNotChangedIsNotPutBack(t *testing.T) {
	b := newBed(t)
	saved, err := save(host.Local{Root: b.root}, usualDir, all())
	if err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	for _, path := range files() {
		if err := os.Chtimes(filepath.Join(b.root, path), long, long); err != nil {
			t.Fatal(err)
		}
	}
	b.write(files()["apiserver"], "new")
	if err := saved.restore(nil); err != nil {
		t.Fatal(err)
	}
	for name, path := range files() {
		info, err := os.Stat(filepath.Join(b.root, path))
		if err != nil || b.read(path) != "old" || info.ModTime().Equal(long) == (name == "apiserver") {
			t.Errorf("%s: %q, %v, %v", name, b.read(path), info, err)
		}
	}
}

// Links are followed to the files that kubeadm writes, and are links afterwards.
func TestWhatIsBehindLinksIsPutBackThere(t *testing.T) {
	for name, move := range map[string]func(b *bed) string{
		"the directory": func(b *bed) string {
			b.script(os.MkdirAll(b.root+"/data", 0o700), os.Rename(b.root+"/etc/kubernetes/pki", b.root+"/data/pki"),
				os.Symlink(b.root+"/data/pki", b.root+"/etc/kubernetes/pki"))
			return "/data/pki/apiserver.crt"
		},
		"a file": func(b *bed) string {
			b.write("/data/api.crt", "old")
			b.link("/etc/kubernetes/pki/apiserver.crt", "/data/api.crt")
			return "/data/api.crt"
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				real := move(b)
				out := b.renewal(func(string) (string, error) { return "bad", nil }, all()...).do(t.Context())
				if !out.Restored || b.read(real) != "old" || b.read(apiserverKey) != "key of old" {
					t.Errorf("%+v: %q, %q", out, b.read(real), b.read(apiserverKey))
				}
				b.leftovers(out, false)
				if left, _ := filepath.Glob(b.root + "/data/.*"); len(left) > 0 {
					t.Errorf("left: %q", left)
				}
				again := b.renewal(good, all()...).do(t.Context())
				if again.Error != "" || b.read(real) != "new" {
					t.Errorf("%+v: %q", again, b.read(real))
				}
			})
		})
	}
}

// begun is a host on which a renewal was killed when these files had been written.
func begun(t *testing.T, b *bed, content, key string) {
	t.Helper()
	if _, err := save(host.Local{Root: b.root}, usualDir, all()); err != nil {
		t.Fatal(err)
	}
	b.write(files()["apiserver"], content)
	b.write(apiserverKey, key)
}

func TestARenewalThatWasKilledIsFinishedOrTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		content, key string
		change       func(b *bed)
		want         string
		restored     bool
	}{
		"what it had renewed is good": {"new", "key of new", nil, "new", false},
		"a file was half written":     {"bad", "key", nil, "old", true},
		"the new one cannot be used":  {"new", "key of new", func(b *bed) { b.reloads, b.breaks = false, true }, "old", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				begun(t, b, c.content, c.key)
				if c.change != nil {
					c.change(b)
				}
				r := b.renewal(func(string) (string, error) { return "", errors.New("it is not asked") })
				r.order.Wish.Names = []string{"none"}
				out := r.do(t.Context())
				if out.Restored != c.restored || (out.Error != "") != c.restored || b.read(files()["apiserver"]) != c.want ||
					b.read(apiserverKey) != "key of "+c.want {
					t.Errorf("%+v: %q, %q", out, b.read(files()["apiserver"]), b.read(apiserverKey))
				}
				if c.restored && !strings.Contains(out.Error, "the renewal that was interrupted on") {
					t.Errorf("%s", out.Error)
				}
				b.leftovers(out, false)
			})
		})
	}
}

// What a renewal has not got around to is renewed once it is finished.
func TestAfterARenewalThatWasKilledTheRestIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		begun(t, b, "new", "key of new")
		out := b.renewal(good, "scheduler.conf").do(t.Context())
		if out.Error != "" || b.read(files()["scheduler.conf"]) != "new" || b.read(files()["apiserver"]) != "new" {
			t.Errorf("%+v", out)
		}
	})
}

// A backup that was not finished has changed nothing.
func TestABackupThatWasKilledIsSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.write("/etc/kubernetes/pki/"+inventory.RenewalMark+"x-apiserver.crt", "old")
		b.write("/etc/kubernetes/"+inventory.RenewalMark+"x-admin.conf", "old")
		b.write("/var/backups/kubectl-lifecycle/.unfinished-certs-x/etc/kubernetes/admin.conf", "old")
		b.write("/etc/kubernetes/pki/.mine", "mine")
		out := b.renewal(good).do(t.Context())
		if out.Error != "" || b.read("/etc/kubernetes/pki/.mine") != "mine" {
			t.Errorf("%+v", out)
		}
		b.script(os.Remove(b.root + "/etc/kubernetes/pki/.mine"))
		b.leftovers(out, true)
	})
}

// A copy beside a file may be damaged, and what lies in the place of a file may not let
// itself be replaced; the other copy is written into it then. Where none is whole, that is said.
func TestTheOtherCopyIsTakenWhereOneIsDamaged(t *testing.T) {
	for name, damage := range map[string]bool{"one": false, "both": true} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			saved, err := save(host.Local{Root: b.root}, usualDir, all())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range saved.Files {
				b.write(f.Near, "junk")
				if damage {
					b.write(filepath.Join(saved.Far, f.Path), "junk")
				}
			}
			b.write(files()["apiserver"], "new")
			err = saved.restore(nil)
			if got := b.read(files()["apiserver"]); (got == "old") == damage || (err == nil) == damage {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// A journal is root's own, and still may not lead anywhere else.
func TestAJournalThatSpeaksOfOtherFilesIsRefused(t *testing.T) {
	for name, journal := range map[string]string{
		"another file":          `{"files":[{"name":"apiserver","path":"/etc/shadow","real":"/etc/shadow","near":"/etc/.kubectl-lifecycle-x"}]}`,
		"a copy without a mark": `{"files":[{"name":"apiserver","path":"/etc/kubernetes/pki/apiserver.crt","real":"/etc/x","near":"/etc/y"}]}`,
		"junk":                  "{",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.write("/etc/kubernetes/pki/"+certs.RenewalJournal, journal)
			out := b.renewal(good, all()...).do(t.Context())
			if out.Changed || !strings.Contains(out.Error, certs.RenewalJournal) || out.Hint == "" || b.read(files()["apiserver"]) != "old" {
				t.Errorf("%+v", out)
			}
		})
	}
}
