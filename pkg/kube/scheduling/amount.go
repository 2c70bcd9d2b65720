// SPDX-License-Identifier: Apache-2.0

package scheduling

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"
)

// amounts are what a node has to give, or a pod wants: cpu in thousandths, the
// rest in bytes or pieces.
type amounts struct {
	cpu, memory, disk, pods int64
	// others are extended resources and huge pages; nil if there are none.
	others map[corev1.ResourceName]int64
}

// allocatable is all that a node has for pods. One that says nothing has
// nothing.
func allocatable(node *corev1.Node) amounts {
	var out amounts
	out.addList(node.Status.Allocatable)
	return out
}

// requests is what a pod takes of its node.
func requests(pod *corev1.Pod) amounts {
	out := amounts{pods: 1}
	if spec := &pod.Spec; len(spec.InitContainers) > 0 || spec.Overhead != nil || spec.Resources != nil ||
		len(pod.Status.NodeAllocatableResourceClaimStatuses) > 0 {
		out.addList(resource.PodRequests(pod, resource.PodResourcesOptions{UseDRANodeAllocatableResourceClaimStatus: true}))
		return out
	}
	for i := range pod.Spec.Containers { // the same, for most pods, in a tenth of the time
		out.addList(pod.Spec.Containers[i].Resources.Requests)
	}
	return out
}

func (a *amounts) addList(list corev1.ResourceList) {
	for name, quantity := range list {
		switch name {
		case corev1.ResourceCPU:
			a.cpu += quantity.MilliValue()
		case corev1.ResourceMemory:
			a.memory += quantity.Value()
		case corev1.ResourceEphemeralStorage:
			a.disk += quantity.Value()
		case corev1.ResourcePods:
			a.pods += quantity.Value()
		default:
			a.change(name, quantity.Value())
		}
	}
}

func (a *amounts) change(name corev1.ResourceName, by int64) {
	if a.others == nil {
		a.others = map[corev1.ResourceName]int64{}
	}
	a.others[name] += by
}

func (a *amounts) add(b amounts) { a.addTimes(b, 1) }

func (a *amounts) sub(b amounts) { a.addTimes(b, -1) }

func (a *amounts) addTimes(b amounts, times int64) {
	a.cpu += times * b.cpu
	a.memory += times * b.memory
	a.disk += times * b.disk
	a.pods += times * b.pods
	for name, n := range b.others {
		a.change(name, times*n)
	}
}

// within reports whether no part of a is more than that of b.
func (a amounts) within(b amounts) bool { return len(a.beyond(b)) == 0 }

// beyond names what a wants and b has not, sorted, without what it wants none
// of.
func (a amounts) beyond(b amounts) []string {
	var out []string
	if a.pods > b.pods {
		out = append(out, "places for pods")
	}
	if a.cpu > 0 && a.cpu > b.cpu {
		out = append(out, "cpu")
	}
	if a.memory > 0 && a.memory > b.memory {
		out = append(out, "memory")
	}
	if a.disk > 0 && a.disk > b.disk {
		out = append(out, "ephemeral-storage")
	}
	fixed := len(out)
	for name, n := range a.others {
		if n > 0 && n > b.others[name] {
			out = append(out, string(name))
		}
	}
	slices.Sort(out[fixed:])
	return out
}

// hostPort is a port of the node that a container takes.
type hostPort struct {
	ip       string
	protocol corev1.Protocol
	number   int32
}

// hostPorts are the ports of the node that a pod takes.
func hostPorts(pod *corev1.Pod) []hostPort {
	var out []hostPort
	take := func(c *corev1.Container) {
		for _, p := range c.Ports {
			if p.HostPort <= 0 {
				continue
			}
			port := hostPort{ip: p.HostIP, protocol: p.Protocol, number: p.HostPort}
			if port.ip == "" {
				port.ip = anyAddress
			}
			if port.protocol == "" {
				port.protocol = corev1.ProtocolTCP
			}
			out = append(out, port)
		}
	}
	for i := range pod.Spec.Containers {
		take(&pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			take(c)
		}
	}
	return out
}

const anyAddress = "0.0.0.0"

// conflicts reports whether two ports exclude each other on one node.
func (p hostPort) conflicts(q hostPort) bool {
	return p.protocol == q.protocol && p.number == q.number && (p.ip == q.ip || p.ip == anyAddress || q.ip == anyAddress)
}
