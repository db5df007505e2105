// Package bench measures variants of a service against each other and reports
// what it finds.
//
// [Run] sends the load of a scenario to each variant by turns, in rounds, and
// reads what the variants say about themselves before and after each round.
// [Compare] compares two runs, of two commits for instance. Reports are
// Markdown, a page of HTML that needs nothing else, and a few lines for the
// terminal.
//
// Nothing here keeps state between runs. A run costs what its load costs; the
// statistics take about a second. It fails before anything is written when a
// target does not answer, and marks as partial what was interrupted.
//
// For maintainers:
//
//	target.go      a variant that runs somewhere, and what it tells
//	process.go     variants of scenarios as processes of their own
//	servers.go     PostgreSQL and Redis for them
//	run.go         the rounds
//	measure.go     what the target's metrics say of a round
//	steps.go       a load that rises in steps
//	summarize.go   from rounds to a result
//	result.go      the result and its file
//	compare.go     two results
//	markdown.go    the report as Markdown, for terminals and pages
//	html.go        the report as HTML
//	svg.go         its drawings
//	pages.go       the figures in the pages of the lab
//	write.go       the files of a run
//	annotate.go    the note in Grafana
package bench
