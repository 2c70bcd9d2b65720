// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// mostOfFile bounds what is read: a kubeconfig of a thousand clusters has 10 MiB.
const mostOfFile = 64 << 20

// File is a kubeconfig as it was read.
type File struct {
	// Path is where it lies, behind symbolic links.
	Path string
	// Config is what it says; an empty one where there is no file.
	Config *api.Config
	// named is what a person, and kubectl, call it.
	named string
	raw   []byte
	there bool
}

// Path is the file that kubectl would add a cluster to: the one that is named, else of
// KUBECONFIG's, else ~/.kube/config.
func Path(named string) string {
	options := clientcmd.NewDefaultPathOptions()
	options.LoadingRules.ExplicitPath = named
	return options.GetDefaultFilename()
}

// Merged is what kubectl reads: the file that is named, else all of KUBECONFIG's together,
// of which the first one that has a name counts. What is not there is empty.
func Merged(named string) (*api.Config, error) {
	options := clientcmd.NewDefaultPathOptions()
	options.LoadingRules.ExplicitPath = named
	all, err := options.GetStartingConfig()
	if err != nil {
		return nil, plan.Refuse(errors.New("one of the kubeconfigs cannot be read"), // the error could quote it
			"see what kubectl says: kubectl config view")
	}
	return all, nil
}

// Read reads a kubeconfig; one that is not there is empty.
func Read(path string) (File, error) {
	f := File{Path: path, Config: api.NewConfig(), named: path}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if target, linkErr := os.Readlink(path); linkErr == nil {
			return f, plan.Refuse(fmt.Errorf("the kubeconfig %s is a link to %s, which is not there", path, target),
				"make that file, or name another one: --kubeconfig FILE")
		}
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("read the kubeconfig: %w", err)
	}
	f.Path, f.there = real, true
	info, err := os.Stat(real)
	if err != nil {
		return f, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > mostOfFile {
		return f, plan.Refuse(fmt.Errorf("the kubeconfig %s is no file of a kubeconfig's size", real), "name another one: --kubeconfig FILE")
	}
	if f.raw, err = os.ReadFile(real); err != nil {
		return f, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if f.Config, err = clientcmd.Load(f.raw); err != nil {
		return f, plan.Refuse(fmt.Errorf("the kubeconfig %s cannot be read", real), // the error could quote it
			"see what kubectl says: kubectl config view --kubeconfig FILE; or name another one")
	}
	return f, nil
}

// Write writes another content, and returns where what was there before is kept; empty
// if there was nothing. The file is replaced as a whole and is for its owner alone.
func (f File) Write(config *api.Config, now time.Time) (backup string, err error) {
	content, err := clientcmd.Write(*config)
	if err != nil {
		return "", errors.New("write the kubeconfig: it cannot be encoded")
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return "", fmt.Errorf("write the kubeconfig: %w", err)
	}
	unlock, err := f.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := f.unchanged(); err != nil {
		return "", err
	}
	if f.there {
		backup = f.Path + ".before-" + now.UTC().Format("20060102T150405Z")
		if err := create(backup, f.raw); err != nil {
			return "", fmt.Errorf("keep the kubeconfig as it was: %w", err)
		}
	}
	temp := f.Path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return backup, fmt.Errorf("write the kubeconfig: %w", err)
	}
	if err := create(temp, content); err != nil {
		return backup, fmt.Errorf("write the kubeconfig: %w", err)
	}
	// With sudo, a file of a person's stays that person's.
	if err := errors.Join(likeOwner(temp, f.Path), likeOwner(backup, f.Path)); err != nil {
		return backup, errors.Join(fmt.Errorf("write the kubeconfig: %w", err), os.Remove(temp))
	}
	if err := os.Rename(temp, f.Path); err != nil {
		return backup, errors.Join(fmt.Errorf("write the kubeconfig: %w", err), os.Remove(temp))
	}
	return backup, nil
}

// lock is kubectl's own (clientcmd.lockFile, client-go 0.36): a file beside the
// kubeconfig that must not be there. kubectl puts it beside the name that it was given, and
// another program may have given it the file's own: where that is a link, both are locked.
func (f File) lock() (unlock func(), err error) {
	held := []string{}
	unlock = func() {
		for _, path := range held {
			_ = os.Remove(path) // it is this one's
		}
	}
	for _, path := range slices.Compact([]string{f.Path + ".lock", cmp.Or(f.named, f.Path) + ".lock"}) {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0)
		if err != nil {
			unlock()
		}
		if errors.Is(err, fs.ErrExist) {
			return nil, plan.Hint(fmt.Errorf("another program changes the kubeconfig: %s is there", path),
				"run the command again; if no kubectl runs, delete that file first")
		}
		if err != nil {
			return nil, fmt.Errorf("lock the kubeconfig: %w", err)
		}
		_ = file.Close()
		held = append(held, path)
	}
	return unlock, nil
}

// unchanged is an error if the file is another one than was read.
func (f File) unchanged() error {
	now, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) && !f.there {
		return nil
	}
	if err == nil && f.there && string(now) == string(f.raw) {
		return nil
	}
	return plan.Hint(errors.Join(fmt.Errorf("the kubeconfig %s has changed since it was read", f.Path), err), "run the command again")
}

// create writes a new file for its owner alone; what it could not write leaves nothing.
func create(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
