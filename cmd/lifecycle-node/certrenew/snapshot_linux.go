// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/etcd"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// snapshotWithin bounds a snapshot of etcd, whose quota is 8 GiB at most.
	snapshotWithin = 3 * time.Minute
	// grows is how much a database may grow while it is asked for: it does so by 16 MiB.
	grows = 24 << 20
)

// snapshot puts a snapshot of etcd beside the other copies, and reads it again. Where etcd has
// hosts of its own there is none.
func (r *renewal) snapshot(ctx context.Context) func(dir string) error {
	return func(dir string) error {
		if r.order.NoSnapshot {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, snapshotWithin)
		defer cancel()
		at := filepath.Join(dir, certs.RenewalSnapshot)
		var file *os.File
		found, err := r.etcd(ctx, func(size int64) (io.Writer, error) {
			if err := fits(dir, size); err != nil {
				return nil, err
			}
			var err error
			file, err = os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
			return &bounded{file, size + grows}, err
		})
		if file != nil {
			err = errors.Join(err, file.Sync(), file.Close())
		}
		if found && err == nil {
			r.out.Snapshot, err = kept(at)
		}
		if err != nil {
			return plan.Hint(fmt.Errorf("take a snapshot of etcd: %w", err), "mend that, or leave the snapshot out with --no-snapshot")
		}
		return nil
	}
}

// kept is the size of a snapshot that is whole on the disk.
func kept(path string) (int64, error) {
	file, info, err := host.OpenPlain(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // it was read
	return info.Size(), etcd.VerifySnapshot(file, info.Size())
}

// fits refuses a snapshot that would leave less room than a renewal needs.
func fits(dir string, size int64) error {
	var free unix.Statfs_t
	if err := unix.Statfs(dir, &free); err != nil {
		return fmt.Errorf("ask how much room there is at %s: %w", dir, err)
	}
	if has, needs := free.Bavail*uint64(free.Bsize), uint64(max(size, 0))+grows+room; has < needs {
		return fmt.Errorf("it needs up to %d MiB at %s, where %d MiB are free", needs>>20, filepath.Dir(dir), has>>20)
	}
	return nil
}

// bounded is a file that takes no more than it was said to.
type bounded struct {
	file *os.File
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errors.New("etcd sends more than it has said")
	}
	return b.file.Write(p)
}
