// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// backupFile notes in the state directory which backup a removal has made.
	backupFile = "backup"
	// Files above mostOfFile are no configuration and not backed up, and all
	// together are at most mostOfAll.
	mostOfAll = 64 << 20
)

// BackUp keeps what a person may want back: configuration, static pods,
// certificates. What pods have written is not: it is theirs, and may be huge.
func (t Disk) BackUp() part.Part {
	return part.Part{
		ID: "backup", Kind: inventory.KindFile,
		Needed: func(ctx context.Context) (bool, error) {
			if saved, err := t.Saved(backupFile); t.Choices.NoBackup || err != nil || saved {
				return false, err
			}
			files, err := t.toBackUp(ctx)
			return len(files) > 0, err
		},
		Take: t.takeBackup,
	}
}

// toBackUp lists the files of a backup: regular ones and symbolic links, not
// through mounts, sorted.
func (t Disk) toBackUp(ctx context.Context) ([]string, error) {
	var roots []string
	for _, look := range []func(context.Context) (part.Findings, error){t.lookFiles, t.Credentials} {
		s, err := look(ctx)
		if err != nil {
			return nil, err
		}
		for _, it := range s.Goes() {
			if t.keepsConfiguration(it.Name) {
				roots = append(roots, it.Name)
			}
		}
	}
	var out []string
	for _, root := range roots {
		err := filepath.WalkDir(t.Path(root), func(path string, entry fs.DirEntry, err error) error {
			inside := strings.TrimPrefix(path, strings.TrimSuffix(t.Path("/"), "/"))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case entry.IsDir() && t.Mounted(inside):
				return fs.SkipDir
			case entry.Type().IsRegular() || entry.Type() == fs.ModeSymlink:
				out = append(out, inside)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// keepsConfiguration reports whether a path that goes is configuration or
// credentials, and not state of pods, plugins or the kubelet.
func (t Disk) keepsConfiguration(path string) bool {
	if strings.HasPrefix(filepath.Base(path), inventory.RenewalMark) {
		return false // a copy of what a renewal of certificates was changing
	}
	for _, dir := range []string{inventory.KubernetesDir, inventory.CNIConfDir} {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	in := func(dir string) bool { return path == dir || host.Below(path, dir) }
	return in(t.Resolve(t.Places().CertDir)) || slices.ContainsFunc(t.Places().ConfDirs, in) ||
		slices.ContainsFunc(inventory.CredentialPaths(t.KubeadmDir()), func(p inventory.OwnPath) bool { return in(p.Path) })
}

// leastRoom is less than the smallest backup takes, with its directory.
const leastRoom = 16 << 10

// noRoom is the refusal of a removal whose backup could not be written once all else is done.
func noRoom(err error) error {
	return plan.Refuse(fmt.Errorf("keep a backup of the configuration: %w", err),
		"make room in %s (df, df -i), or let it lead to a directory on another disk of this host; or remove without a backup: --no-backup",
		filepath.Dir(inventory.BackupDir))
}

// fullForBackups returns an error if the disk for backups has no room at all. It only reads.
func (t Disk) fullForBackups() error {
	if saved, err := t.Saved(backupFile); err != nil || saved {
		return err
	}
	dir, err := t.Follow(inventory.BackupDir)
	var stat unix.Statfs_t
	for err == nil {
		if err = unix.Statfs(dir, &stat); !errors.Is(err, fs.ErrNotExist) || dir == "/" {
			break
		}
		dir, err = filepath.Dir(dir), nil
	}
	switch {
	case err != nil:
		return noRoom(fmt.Errorf("look at the file system of %s: %w", inventory.BackupDir, err))
	case stat.Flags&unix.ST_RDONLY != 0:
		return noRoom(&fs.PathError{Op: "write in", Path: dir, Err: unix.EROFS})
	case stat.Bavail*uint64(stat.Bsize) < leastRoom, stat.Files > 0 && stat.Ffree == 0:
		return noRoom(&fs.PathError{Op: "write in", Path: dir, Err: unix.ENOSPC})
	}
	return nil
}

// tryBackup writes as much as the backup may take, and removes it again, before anything
// is changed: quotas, reserved blocks and inodes are known only by that.
func (t Disk) tryBackup(ctx context.Context, _ plan.Report) error {
	files, err := t.toBackUp(ctx)
	if err != nil {
		return err
	}
	size := int64(leastRoom)
	for _, path := range files {
		info, err := t.Lstat(path)
		if err == nil && info.Size() <= part.MostOfFile { // a larger one is left out
			size += info.Size() + 1<<10
		}
	}
	dir, err := t.Follow(inventory.BackupDir)
	if err == nil {
		err = tryRoom(dir, min(size, mostOfAll))
	}
	if err != nil {
		return noRoom(errors.Join(err, t.RemoveEmpty(inventory.BackupDir)))
	}
	return nil
}

// tryRoom writes a file of some size that no file system can compress, and removes it.
func tryRoom(dir string, size int64) error {
	if err := host.MakeDir(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(inventory.UnfinishedBackups))
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{}), size)
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

// takeBackup writes the archive, whole or not at all.
func (t Disk) takeBackup(ctx context.Context, report plan.Report) error {
	files, err := t.toBackUp(ctx)
	if err != nil || len(files) == 0 {
		return err
	}
	dir, err := t.Follow(inventory.BackupDir)
	if err != nil {
		return fmt.Errorf("write a backup: %w", err)
	}
	if err := host.MakeDir(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(inventory.UnfinishedBackups)) // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // once it has its name, there is nothing
	left, err := t.archive(f, files)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write a backup: %w", err)
	}
	name := fmt.Sprintf("%s-%s.tar.gz", cmp.Or(t.Facts.Node, "node"), time.Now().UTC().Format("20060102T150405Z"))
	// What is in it is deleted next: a power cut must not find the one gone, and the other not there.
	if err := errors.Join(os.Rename(f.Name(), filepath.Join(dir, name)), host.SyncDir(dir), host.SyncDir(filepath.Dir(dir))); err != nil {
		return fmt.Errorf("write a backup: %w", err)
	}
	report("backed up %d files on the host: %s", len(files)-len(left), filepath.Join(inventory.BackupDir, name))
	for _, path := range left {
		report("not in the backup: %s", path)
	}
	return t.Save(backupFile, []byte(filepath.Join(inventory.BackupDir, name)+"\n"))
}

// archive writes files into an archive, and names those that it left out and
// why.
func (t Disk) archive(w io.Writer, files []string) (left []string, err error) {
	packed := gzip.NewWriter(w)
	out := tar.NewWriter(packed)
	total := 0
	for _, path := range files {
		header, content, why, err := t.entry(path)
		if err != nil {
			return nil, err
		}
		if why == "" && total+len(content) > mostOfAll {
			why = "the backup is full"
		}
		if why != "" {
			left = append(left, path+" ("+why+")")
			continue
		}
		total += len(content)
		if err := out.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := out.Write(content); err != nil {
			return nil, err
		}
	}
	return left, errors.Join(out.Close(), packed.Close())
}

// entry reads one file as it goes into an archive, or says why it does not.
func (t Disk) entry(path string) (header *tar.Header, content []byte, why string, err error) {
	real := t.Path(path)
	info, err := os.Lstat(real)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, "it is gone", nil
	}
	if err != nil {
		return nil, nil, "", err
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = os.Readlink(real); err != nil {
			return nil, nil, "", err
		}
	} else {
		if info.Size() > part.MostOfFile {
			return nil, nil, "it is bigger than 1 MiB", nil
		}
		if content, err = host.ReadPlain(real, part.MostOfFile); err != nil {
			return nil, nil, "", err
		}
	}
	if why := t.LeftOut(path, content); why != "" {
		return nil, nil, why, nil
	}
	header, err = tar.FileInfoHeader(info, target)
	if err != nil {
		return nil, nil, "", err
	}
	header.Name, header.Size = strings.TrimPrefix(path, "/"), int64(len(content))
	return header, content, "", nil
}

// BackedUp is where the removal has put its backup; empty if it made none.
func (t Disk) BackedUp() string {
	raw, err := os.ReadFile(filepath.Join(t.Path(t.StateDir), backupFile))
	if t.StateDir == "" || err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}
