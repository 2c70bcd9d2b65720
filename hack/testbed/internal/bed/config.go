// SPDX-License-Identifier: Apache-2.0

// Package bed is the test bed itself: a kind cluster without a network plugin,
// blank hosts beside it, and what a test needs to know about them.
package bed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/build"
)

// Config is what the environment asks for.
type Config struct {
	// Name names the cluster and everything that belongs to it.
	Name string
	// Cache holds build products and this bed's kubeconfig.
	Cache string
	// Version is the Kubernetes version, such as v1.36.3.
	Version string
	// NodeImage, where set, is used instead of a pulled or built one.
	NodeImage string
	// Source is the directory hack/testbed.
	Source string
}

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// FromEnv reads the configuration through getenv, relative to the working
// directory source.
func FromEnv(getenv func(string) string, source string) (Config, error) {
	c := Config{
		Name:      or(getenv("TESTBED_NAME"), "lifecycle"),
		Cache:     getenv("TESTBED_CACHE"),
		NodeImage: getenv("KIND_NODE_IMAGE"),
		Source:    source,
	}
	if c.Cache == "" {
		base := getenv("XDG_CACHE_HOME")
		if base == "" && getenv("HOME") == "" {
			return Config{}, errors.New("find a cache directory: HOME is not set: set TESTBED_CACHE")
		}
		c.Cache = filepath.Join(or(base, filepath.Join(getenv("HOME"), ".cache")), "kubectl-lifecycle")
	}
	if !filepath.IsAbs(c.Cache) {
		return Config{}, fmt.Errorf("read TESTBED_CACHE %q: an absolute path is wanted", c.Cache)
	}
	if err := CheckName(c.Name); err != nil {
		return Config{}, fmt.Errorf("read TESTBED_NAME: %w", err)
	}
	// A bed keeps its version until another one is asked for.
	c.Version = or(getenv("KUBERNETES_VERSION"), or(c.recordedVersion(), build.DefaultKubernetes))
	if err := build.CheckVersion(c.Version); err != nil {
		return Config{}, fmt.Errorf("read KUBERNETES_VERSION: %w", err)
	}
	return c, nil
}

// CheckName accepts what can be a container's name and a host name at once.
func CheckName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("name %q: small letters, digits and dashes are wanted, at most 40", name)
	}
	return nil
}

// Nodes are the names that kind gives to the nodes' containers.
func (c Config) Nodes() []string {
	return []string{c.Name + "-control-plane", c.Name + "-worker", c.Name + "-worker2"}
}

// Blank is the name of the host that is not joined.
func (c Config) Blank() string { return c.Name + "-blank" }

// StateDir keeps the kubeconfig and the cluster's description.
func (c Config) StateDir() string { return filepath.Join(c.Cache, "testbed", c.Name) }

// Kubeconfig is this bed's own; ~/.kube/config is never touched.
func (c Config) Kubeconfig() string { return filepath.Join(c.StateDir(), "kubeconfig") }

// BinDir holds the programs that are used from outside of the nodes.
func (c Config) BinDir() string { return filepath.Join(c.Cache, "bin", c.Version) }

// Program is the path of one of them.
func (c Config) Program(name string) string { return filepath.Join(c.BinDir(), name) }

func (c Config) versionPath() string { return filepath.Join(c.StateDir(), "version") }

// createdPath is the mark that kind has finished: an interrupted creation leaves
// running containers, and even an API that answers.
func (c Config) createdPath() string { return filepath.Join(c.StateDir(), "created") }

// recordedVersion is the version that an earlier up gave to this bed.
func (c Config) recordedVersion() string {
	raw, err := os.ReadFile(c.versionPath())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// The locks: one per bed, one for starting the engine, one for the long builds.
// Bringing up a cluster alone does not wait for another version's build.
func (c Config) bedLock() string    { return filepath.Join(c.Cache, "locks", "bed-"+c.Name) }
func (c Config) engineLock() string { return filepath.Join(c.Cache, "locks", "engine") }
func (c Config) buildLock() string  { return filepath.Join(c.Cache, "locks", "build") }

// or returns the first of two strings that is not empty.
func or(first, second string) string {
	if first != "" {
		return first
	}
	return second
}
