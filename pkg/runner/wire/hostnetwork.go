// SPDX-License-Identifier: Apache-2.0

package wire

// LookNetwork reads what a host has for its pod network; no record, no unit.
const LookNetwork Operation = "look-network"

// CleanNetwork takes what one network has left off a host that stays a node; no record,
// no unit.
const CleanNetwork Operation = "clean-network"

// NetworkQuestion is what a host is asked about its network.
type NetworkQuestion struct {
	// Ports are those of which it says who listens there.
	Ports []int `json:"ports,omitempty"`
}

// HostNetwork is what a host has for its pod network.
type HostNetwork struct {
	Node string `json:"node"`
	// ConfDir is the first of the runtime's directories of configurations, Configs
	// the files in it that it would read, in its order. It takes the first.
	ConfDir   string      `json:"confDir"`
	NoConfDir bool        `json:"noConfDir,omitempty"`
	Configs   []NetConfig `json:"configs,omitempty"`
	// BinDirs are where the runtime looks for plugins, Plugins what is there.
	BinDirs []string `json:"binDirs,omitempty"`
	Plugins []string `json:"plugins,omitempty"`
	// BinOwner, BinMode and BinNoExec are of the first of BinDirs that is there.
	BinOwner  int  `json:"binOwner,omitempty"`
	BinMode   int  `json:"binMode,omitempty"`
	BinNoExec bool `json:"binNoExec,omitempty"`
	// Netfilter says that br_netfilter is loaded, OpenVSwitch that openvswitch is, or
	// could be.
	Netfilter   bool `json:"netfilter"`
	OpenVSwitch bool `json:"openvswitch"`
	// Listeners are programs that listen on the ports that were asked for.
	Listeners []Listener `json:"listeners,omitempty"`
}

// NetConfig is a configuration of a network.
type NetConfig struct {
	File string `json:"file"`
	// Name is the network's, Types are the plugins that it calls.
	Name  string   `json:"name,omitempty"`
	Types []string `json:"types,omitempty"`
	// Bad is why it cannot be read as one.
	Bad string `json:"bad,omitempty"`
}

// Listener is a program that listens on a port.
type Listener struct {
	Proto string `json:"proto"`
	Port  int    `json:"port"`
	// Program is its name, as its kernel knows it.
	Program string `json:"program"`
}
