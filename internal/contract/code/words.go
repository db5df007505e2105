package code

import (
	"fmt"
	"strings"
)

// strayWords are what belongs to one machine and not to the repository: folders
// of whoever wrote a file, and hosts of package registries, which everybody
// configures for themselves. The parts are joined here so that this file does
// not match itself.
func strayWords() []string {
	return []string{
		"/ro" + "ot/", "/wo" + "rk/", "proxy.gol" + "ang.org", "sum.gol" + "ang.org", "registry.np" + "mjs.org", "deb.deb" + "ian.org",
	}
}

// CheckWords returns a line for every stray word in a text file. A folder counts
// where a path starts, not within one. Binary files (with a zero byte) are left
// out.
func CheckWords(path, text string) []string {
	if strings.Contains(text, "\x00") {
		return nil
	}
	var problems []string
	for _, word := range strayWords() {
		if !strings.Contains(text, word) { // almost always, and fast
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			if begins(line, word) {
				problems = append(problems, fmt.Sprintf("%s:%d: %q belongs to a machine, not to the repository", path, i+1, word))
			}
		}
	}
	return problems
}

// begins reports whether the word is in the line and, if it is a folder, is
// where a path starts.
func begins(line, word string) bool {
	for at := 0; ; {
		i := strings.Index(line[at:], word)
		if i < 0 {
			return false
		}
		at += i
		if at == 0 || word[0] != '/' || !strings.ContainsRune("$}*.-_", rune(line[at-1])) && !isLetter(line[at-1]) {
			return true
		}
		at++
	}
}
