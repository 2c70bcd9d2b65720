// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// steps refuses an upgrade that leaves a minor version out, where the network's
// project wants each: agents of both versions work side by side for a while, and only
// neighbours are tested so.
func (inst Installation) steps(version string) error {
	was, is := minorOf(inst.prior.Version), minorOf(version)
	if !inst.network.OneMinor || inst.prior.Values == nil || was == is || was == (minor{}) || is == (minor{}) {
		return nil
	}
	next := minor{was.major, was.minor + 1}
	if is.major == was.major && is.minor < was.minor {
		next = minor{was.major, was.minor - 1}
	}
	if is == next {
		return nil
	}
	return plan.Refuse(
		fmt.Errorf("%s goes one minor version at a time: from %s to %s leaves %s out", inst.CNI, inst.prior.Version, version, next),
		"first the newest of that line: --version %s.…", next)
}

// minor is major and minor version; the zero value is none.
type minor struct{ major, minor int }

func (m minor) String() string { return fmt.Sprintf("%d.%d", m.major, m.minor) }

func minorOf(version string) minor {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 2 {
		return minor{}
	}
	major, err := strconv.Atoi(parts[0])
	second, bad := strconv.Atoi(parts[1])
	if err != nil || bad != nil {
		return minor{}
	}
	return minor{major, second}
}

// before compares two versions by major and minor.
func (m minor) before(other minor) bool {
	return m.major < other.major || m.major == other.major && m.minor < other.minor
}
