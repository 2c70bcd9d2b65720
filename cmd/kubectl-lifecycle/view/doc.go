// SPDX-License-Identifier: Apache-2.0

// Package view shows results to people and to machines.
//
//	Sheet     lines, commands and tables for people; all that goes onto it is filtered
//	Progress  what goes on, in place on a terminal and in plain lines elsewhere
//	Encode    JSON, YAML and templates
//	Forecast, Inventory   the pages of "drain --plan" and "inspect"
//
// It decides nothing and reads nothing: what it shows, it is given.
package view
