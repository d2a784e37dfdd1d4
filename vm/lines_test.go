package vm_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

var (
	position = regexp.MustCompile(`errors_test\.go:(\d+)`)
	source   = sync.OnceValue(func() []string {
		text, err := os.ReadFile("errors_test.go")
		if err != nil {
			panic(err)
		}
		return strings.Split(string(text), "\n")
	})
)

// relativeLines replaces the positions in a message by LINE for a line that calls compileAndRun and LINE-1 for the one before
// it, so that the table does not break when lines move.
func relativeLines(message string) string {
	return position.ReplaceAllStringFunc(message, func(p string) string {
		line, _ := strconv.Atoi(position.FindStringSubmatch(p)[1])
		for d := 0; line-1+d < len(source()); d++ {
			if strings.Contains(source()[line-1+d], "compileAndRun(") {
				if d == 0 {
					return "LINE"
				}
				return fmt.Sprintf("LINE-%d", d)
			}
		}
		return p
	})
}
