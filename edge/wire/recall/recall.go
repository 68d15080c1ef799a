package recall

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
)

// maxWord bounds a word, in bytes: what is longer is no word of a language.
const maxWord = 64

// Best returns the indexes of those texts that match, best first, at most
// limit. A query without words matches every text, in the order given.
func Best(query string, texts []string, limit int) []int {
	wanted := distinct(Words(query))
	if len(wanted) == 0 {
		return firsts(min(limit, len(texts)))
	}
	counts := make([]map[string]int, len(texts))
	spread := map[string]int{} // in how many texts each word is
	for i, text := range texts {
		counts[i] = occurrences(text, wanted)
		for word := range counts[i] {
			spread[word]++
		}
	}
	var hits []hit
	for i, found := range counts {
		if len(found) > 0 {
			hits = append(hits, hit{i, len(found), weight(found, spread, len(texts))})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.words, a.words), cmp.Compare(b.weight, a.weight))
	})
	out := make([]int, 0, min(limit, len(hits)))
	for _, h := range hits[:min(limit, len(hits))] {
		out = append(out, h.index)
	}
	return out
}

// hit is one text that matches.
type hit struct {
	index, words int
	weight       float64
}

// Words takes a text apart into stems, without stop words.
func Words(text string) []string {
	var out []string
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		word = strings.ToLower(word)
		if len(word) > maxWord || slices.Contains(stopWords, word) {
			continue
		}
		env := snowballstem.NewEnv(word)
		english.Stem(env)
		out = append(out, env.Current())
	}
	return out
}

// stopWords are in every text.
var stopWords = strings.Fields(`a an and are as at be but by for from had has have he her his i if in into is it its me
	my no not of on or our she so that the their them then there they this to was we were what when which who will with
	you your`)

func distinct(words []string) map[string]bool {
	out := make(map[string]bool, len(words))
	for _, w := range words {
		out[w] = true
	}
	return out
}

// occurrences counts the wanted words of a text.
func occurrences(text string, wanted map[string]bool) map[string]int {
	out := map[string]int{}
	for _, w := range Words(text) {
		if wanted[w] {
			out[w]++
		}
	}
	return out
}

// weight is tf·idf with a dampened tf, so that repeating a word does not win.
func weight(found, spread map[string]int, texts int) float64 {
	sum := 0.0
	for word, n := range found {
		sum += (1 + math.Log(float64(n))) * math.Log(1+float64(texts)/float64(spread[word]))
	}
	return sum
}

func firsts(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
