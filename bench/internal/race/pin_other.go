//go:build !linux

package race

func pin() (undo func()) { return func() {} }
