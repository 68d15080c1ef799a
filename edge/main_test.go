package edge_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, redistest.LastDials()) }
