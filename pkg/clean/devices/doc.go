// SPDX-License-Identifier: Apache-2.0

// Package devices asks which block devices the volumes were on that a removal unmounts, and
// whether those that were attached for them are still there afterwards: a driver that is gone
// detaches nothing. It only reads: who detaches an rbd image, an iSCSI session or an encrypted
// device by force may lose what is in it, so it is named, and keeps a verdict from being clean.
package devices
