// SPDX-License-Identifier: Apache-2.0

// Package values lays a chart's values over each other and says what differs.
// It is pure, and knows nothing of Helm:
//
//	Merge, Forget   lay trees over each other, and take values out
//	Equal, Changed  compare them
//	Show            lists the leaves, each with the reason for its value
package values
