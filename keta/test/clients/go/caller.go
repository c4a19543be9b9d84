// Where in a scenario something was not as expected.
package main

import (
	"fmt"
	"path/filepath"
	"runtime"
)

// The first place outside of the methods of trial.
func caller() string {
	for depth := 2; ; depth++ {
		_, file, line, found := runtime.Caller(depth)
		if !found {
			return "?"
		}
		if name := filepath.Base(file); name != "main.go" {
			return fmt.Sprintf("%s:%d", name, line)
		}
	}
}
