// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
)

// Nothing is renewed without a snapshot that is whole, and fits, unless it is left out.
func TestASnapshotOfEtcdIsWholeBeforeAnythingChanges(t *testing.T) {
	data := bytes.Repeat([]byte{7}, 1024)
	sum := sha256.Sum256(data)
	snapshot := append(data, sum[:]...)
	for name, c := range map[string]struct {
		size   int64
		sent   []byte
		away   error
		no     bool
		fails  string
		leaves int64
	}{
		"it is whole":                      {1024, snapshot, nil, false, "", 1056},
		"it is left out":                   {1024, snapshot, nil, true, "", 0},
		"etcd has hosts of its own":        {-1, nil, nil, false, "", 0},
		"it ends early":                    {1024, snapshot[:1024], nil, false, "it is not whole", 0},
		"it was changed on the way":        {1024, append(bytes.Repeat([]byte{8}, 1024), sum[:]...), nil, false, "its checksum is not", 0},
		"etcd breaks off":                  {1024, snapshot, errors.New("etcd was stopped"), false, "etcd was stopped", 0},
		"there is no room":                 {1 << 60, snapshot, nil, false, "MiB are free", 0},
		"it is much larger than etcd says": {-grows, snapshot, nil, false, "etcd sends more than it has said", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				r := b.renewal(good, all()...)
				r.order.NoSnapshot = c.no
				r.etcd = func(_ context.Context, begin func(int64) (io.Writer, error)) (bool, error) {
					if c.size == -1 {
						return false, nil
					}
					w, err := begin(c.size)
					if err == nil {
						_, err = w.Write(c.sent)
					}
					return true, errors.Join(err, c.away)
				}
				out := r.do(t.Context())
				if c.fails != "" {
					if out.Changed || !strings.Contains(out.Error, "take a snapshot of etcd: ") || !strings.Contains(out.Error, c.fails) ||
						!strings.Contains(out.Hint, "--no-snapshot") || b.read(files()["apiserver"]) != "old" {
						t.Errorf("%+v", out)
					}
					b.leftovers(out, true)
					return
				}
				if out.Error != "" || out.Snapshot != c.leaves {
					t.Errorf("%+v", out)
				}
				info, err := os.Stat(filepath.Join(b.root, out.Backup, certs.RenewalSnapshot))
				if (err == nil) != (c.leaves > 0) || err == nil && (info.Mode().Perm() != 0o600 || info.Size() != c.leaves) {
					t.Errorf("%v, %v", info, err)
				}
				b.leftovers(out, false)
			})
		})
	}
}
