// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// Devices are the block devices of a host that volumes are on.
type Devices struct {
	part.Host
	// Ours says of a mount whether a removal unmounts it.
	Ours func(mounts []host.Mount) func(host.Mount) bool
	// Images are loop devices on files that go, by the device's number, and the files.
	Images func() (map[string]string, error)
}

// devicesFile is where a removal writes down on which devices the volumes were: the mounts
// that tell go first.
const devicesFile = "devices.json"

// mostDevices bounds how many are written down.
const mostDevices = 1024

// Remember writes them down, once.
func (t Devices) Remember() error {
	return t.Keep(devicesFile, func() ([]byte, error) {
		mounts, err := t.Mounts()
		if err != nil {
			return nil, err
		}
		images, err := t.Images()
		if err != nil {
			return nil, err
		}
		return json.Marshal(t.attached(mounts, images))
	})
}

// Part looks for those that are still there once the volumes are not mounted any more.
func (t Devices) Part() part.Part {
	return part.Part{ID: "devices", Title: "Devices that volumes were on", Kind: inventory.KindBlock, Look: t.look}
}

func (t Devices) look(context.Context) (part.Findings, error) {
	var s part.Findings
	saved, err := t.Saved(devicesFile)
	if err != nil || !saved {
		return s, err
	}
	raw, err := host.ReadPlain(filepath.Join(t.Path(t.StateDir), devicesFile), part.MostOfFile)
	var noted []device
	if err == nil {
		err = json.Unmarshal(raw, &noted)
	}
	mounts, unread := t.Mounts()
	if err := errors.Join(err, unread); err != nil {
		return s, fmt.Errorf("read on which devices volumes were: %w", err)
	}
	ours := t.Ours(mounts)
	for _, d := range noted {
		still := slices.ContainsFunc(mounts, func(m host.Mount) bool { return ours(m) && t.of(m, d) })
		if still || !t.same(d) {
			continue // a volume is on it yet, which is said there; or it is gone
		}
		refers := "the volume at " + d.Path + " was on it"
		if d.Number == "" && d.Kind != poolOfZFS {
			refers += ", and nothing tells whether it is attached still"
		}
		s.Add(inventory.Item{
			Kind: inventory.KindBlock, Name: d.Name, In: d.Backing, Owner: inventory.Foreign, Fate: inventory.Stays, Detail: d.Kind,
			Why: "who detaches it may lose what is in it; detach it with the tool that attached it", Refers: refers,
		})
	}
	return s, nil
}

// of reports whether a mount is on a noted device.
func (t Devices) of(m host.Mount, d device) bool {
	if d.Number == "" {
		return without(m).Name == d.Name
	}
	return slices.Contains(t.beneath(t.numbers(m)), d.Number)
}
