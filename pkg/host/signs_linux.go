// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Signs tell a machine from another one that has a copy of its disk, and with it
// its machine-id, its name and its credentials.
type Signs struct {
	// Board is the number of its board or, of a virtual machine, the one that its
	// hypervisor gives it.
	Board string `json:"board,omitempty"`
	// MACs are the addresses of its network devices, virtual links left out.
	MACs []string `json:"macs,omitempty"`
}

// Signs reads what this machine can be told by. What cannot be read is no sign.
func (Local) Signs() Signs {
	var s Signs
	for _, path := range []string{"/sys/class/dmi/id/product_uuid", "/sys/firmware/devicetree/base/serial-number"} {
		if raw, err := ReadLinked(path, mostOfProc); err == nil && s.Board == "" {
			s.Board = board(string(raw))
		}
	}
	const links = "/sys/class/net"
	if dir, err := os.Open(links); err == nil {
		_ = eachName(dir, func(name string) bool {
			_, err := os.Lstat(filepath.Join(links, name, "device"))
			raw, readErr := ReadPlain(filepath.Join(links, name, "address"), mostOfProc)
			if mac := strings.TrimSpace(string(raw)); err == nil && readErr == nil && strings.Trim(mac, "0:") != "" {
				s.MACs = append(s.MACs, mac)
			}
			return len(s.MACs) < batch
		})
		_ = dir.Close() // it was read
	}
	slices.Sort(s.MACs)
	return s
}

// board makes the number of a board comparable. Those that boards have in common
// whose maker gave them none are no sign.
func board(raw string) string {
	number := strings.ToLower(strings.Trim(raw, "\x00 \t\r\n"))
	switch {
	case strings.Trim(number, "0-") == "", strings.Trim(number, "f-") == "", number == "03000200-0400-0500-0006-000700080009":
		return ""
	}
	return number
}

// Another reports whether the signs are another machine's, and by which: every
// sign of its hardware that can be compared is different. One that agrees is
// enough for the same machine: network cards are changed, and boards. Where none
// can be compared it is the same: that is a container, as kind's nodes are. The
// machine-id is no sign, since it is on the disk, and such a node is given another
// with each start.
func (s Signs) Another(now Signs) (by string, is bool) {
	var differ []string
	if s.Board != "" && now.Board != "" {
		if s.Board == now.Board {
			return "", false
		}
		differ = append(differ, "the number of its board is "+now.Board+", not "+s.Board)
	}
	if len(s.MACs) > 0 && len(now.MACs) > 0 {
		if slices.ContainsFunc(s.MACs, func(mac string) bool { return slices.Contains(now.MACs, mac) }) {
			return "", false
		}
		differ = append(differ, "its network device is "+now.MACs[0]+", not "+s.MACs[0])
	}
	return strings.Join(differ, ", and "), len(differ) > 0
}
