// SPDX-License-Identifier: Apache-2.0

// Package disk unmounts what is mounted for pods and removes the files of Kubernetes
// and its network, backed up before. Nothing is deleted through a mount, nothing that
// an administrator mounted is unmounted, and below a kubelet's directories only what a
// kubelet makes goes; what stands against that is an objection, before anything is
// changed.
//
//	Ours              which mounts go
//	Files             which files of Kubernetes and the network go
//	LookKubeconfigs   which kubeconfigs in the homes of users go
//	Objections        why a host is not cleaned at all
package disk
