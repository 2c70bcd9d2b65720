// SPDX-License-Identifier: Apache-2.0

// Package helm is a release.Store by way of Helm's library. Nothing else imports
// Helm: another major version of it is another package like this one.
//
// Helm's own --wait and --atomic are not used: Helm calls a DaemonSet ready at
// desired minus maxUnavailable, so that on one node zero agents are enough
// (helm#8660), and an automatic uninstall leaves hosts with a configuration and no
// agent.
package helm
