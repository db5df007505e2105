// Package consolecheck compares the dashboards with what the lab console draws.
//
// compose/console/supported.json declares the panel types, options, queries,
// variables and transformations that the console knows; its TypeScript types
// come from that file, so its code reads nothing else. [Declaration.Check] finds
// what a dashboard uses beyond it, and [Declaration.Unused] what is declared and
// used by no dashboard and no test: together they say that the two are the same.
//
// All functions are pure and safe for concurrent use.
package consolecheck
