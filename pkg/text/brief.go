// SPDX-License-Identifier: Apache-2.0

package text

// brief is how many characters of a foreign text a message shows.
const brief = 240

// Brief is Short for a message that a kubelet, a host or an API server wrote.
func Brief(s string) string { return Short(s, brief) }
