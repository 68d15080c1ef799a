package recall_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/edge/wire/recall"
)

var texts = []string{
	"The deployment of the payments service failed on Monday",
	"Payments are deployed by the release job",
	"Ana likes tea",
	"deploy deploy deploy deploy",
}

func TestTextsAreFoundByStemAndOrderedByHowManyWordsTheyHave(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]int{
		"deploying payments": {0, 1, 3},
		"TEA!":               {2},
		"the of and":         {0, 1, 2, 3}, // nothing but stop words asks for all
		"":                   {0, 1, 2, 3},
		"absent":             {},
	} {
		got := recall.Best(query, texts, 20)
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", query, got, want)
		}
	}
	if got := recall.Best("", texts, 2); len(got) != 2 {
		t.Errorf("a limit of 2 gives %v", got)
	}
}

func FuzzBest(f *testing.F) {
	f.Add("deploy", "the deploying of\x00 things")
	f.Add("'", "it's O'Brien's")
	f.Add("ÄÖ ß", strings.Repeat("e", 100_000))
	f.Fuzz(func(t *testing.T, query, text string) {
		if !utf8.ValidString(query) || !utf8.ValidString(text) {
			t.Skip()
		}
		got := recall.Best(query, []string{text, query}, 20)
		if len(got) > 2 {
			t.Errorf("two texts give %v", got)
		}
		if len(recall.Words(query)) > 0 && !slices.Contains(got, 1) {
			t.Errorf("%q does not find itself", query)
		}
	})
}
