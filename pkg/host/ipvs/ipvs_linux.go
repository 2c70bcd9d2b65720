// SPDX-License-Identifier: Apache-2.0

package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The kernel's names of a command and of attributes (linux/ip_vs.h).
const (
	ipvsFamily        = "IPVS" // IPVS_GENL_NAME
	ipvsDelService    = 3      // IPVS_CMD_DEL_SERVICE
	ipvsService       = 1      // IPVS_CMD_ATTR_SERVICE
	ipvsServiceFamily = 1      // IPVS_SVC_ATTR_AF
	ipvsProtocol      = 2      // IPVS_SVC_ATTR_PROTOCOL
	ipvsAddress       = 3      // IPVS_SVC_ATTR_ADDR
	ipvsPort          = 4      // IPVS_SVC_ATTR_PORT
)

// DeleteVirtual deletes a virtual service of IPVS with its servers: protocol is
// "tcp", "udp" or "sctp". One that is not there is no error. The kernel must have
// IPVS; asking for it where the module is not loaded may load it.
func DeleteVirtual(protocol string, at netip.AddrPort) error {
	number, known := map[string]uint16{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP, "sctp": unix.IPPROTO_SCTP}[protocol]
	if !known {
		return fmt.Errorf("virtual services of %s are not known", protocol)
	}
	family, err := netlink.GenlFamilyGet(ipvsFamily)
	if err != nil {
		return fmt.Errorf("ask the kernel for IPVS: %w", err)
	}
	addresses := uint16(unix.AF_INET)
	if at.Addr().Is6() {
		addresses = unix.AF_INET6
	}
	service := nl.NewRtAttr(ipvsService|unix.NLA_F_NESTED, nil)
	service.AddRtAttr(ipvsServiceFamily, nl.Uint16Attr(addresses))
	service.AddRtAttr(ipvsProtocol, nl.Uint16Attr(number))
	service.AddRtAttr(ipvsAddress, at.Addr().AsSlice())
	service.AddRtAttr(ipvsPort, binary.BigEndian.AppendUint16(nil, at.Port()))
	request := nl.NewNetlinkRequest(int(family.ID), unix.NLM_F_ACK)
	request.AddData(&nl.Genlmsg{Command: ipvsDelService, Version: uint8(family.Version)})
	request.AddData(service)
	if _, err := request.Execute(unix.NETLINK_GENERIC, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("delete virtual service %s %s: %w", protocol, at, err)
	}
	return nil
}
