package columns

import "testing"

func TestAlign(t *testing.T) {
	got := Align("a\tαβγ\tx\nlonger\tb\t\nc")
	want := "a       αβγ  x\nlonger  b\nc"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
