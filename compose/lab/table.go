package lab

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Table prints a status for people: a row for each component, and the sum.
// MEMORY and CACHE are ResidentBytes and CachedBytes.
func (s Status) Table(out io.Writer) error {
	if address := s.consoleAddress(); address != "" {
		fmt.Fprintf(out, "dashboards, traces, logs and flame graphs: %s (the lab console)\n\n", address)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "COMPONENT\tSTATE\tADDRESS\tSTART\tMEMORY\tCACHE")
	for _, c := range s.Components {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, c.Condition, dash(c.Address),
			seconds(c.StartSeconds), mebibytes(c.ResidentBytes), mebibytes(c.CachedBytes))
	}
	all := "well"
	if s.Err() != nil {
		all = "not well"
	}
	fmt.Fprintf(w, "all\t%s\t%s\t%s\t%s\t%s\n", all, s.Mode,
		seconds(s.StartSeconds), mebibytes(s.ResidentBytes), mebibytes(s.CachedBytes))
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	for _, note := range s.Notes {
		fmt.Fprintln(out, note)
	}
	return nil
}

// consoleAddress is where the console shows the dashboards; empty where there is
// none, or a Grafana that shows them.
func (s Status) consoleAddress() string {
	address := ""
	for _, c := range s.Components {
		switch c.Name {
		case "grafana":
			return ""
		case "console":
			address = c.Address
		}
	}
	return address
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func seconds(s float64) string {
	if s == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f s", s)
}

func mebibytes(bytes uint64) string {
	if bytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20))
}
