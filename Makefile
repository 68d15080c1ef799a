# Everything is one command; `make` alone lists them. None needs more than Go:
# tools are built from infra/tools, and Redis is found or installed by
# infra/provision.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOBUILD  := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)'
TOOL     := go tool -modfile=infra/tools/go.mod
FUZZTIME ?= 20s
ARGS     ?=

# The race detector needs cgo, and cgo a C compiler.
RACE := $(shell command -v "$$(go env CC)" >/dev/null && echo -race)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/edge, bin/claudemesh, bin/invite and bin/admin
	$(GOBUILD) -o bin/ ./edge/cmd/edge ./cli/cmd/claudemesh ./functions/cmd/invite ./functions/cmd/admin

.PHONY: functions
functions: ## Build bin/invite and bin/admin alone: plain HTTP servers, or bootstraps on Lambda
	$(GOBUILD) -o bin/ ./functions/cmd/invite ./functions/cmd/admin

.PHONY: lambda
lambda: ## Pack the functions for Lambda: bin/lambda/{invite,admin}.zip for arm64, …-amd64.zip beside them
	@go run ./infra/aws/cmd/pack -out bin/lambda

.PHONY: run
run: build ## Run a broker with a private Redis; data stay in .data (ARGS="-addr :7901")
	@$(GOBUILD) -o bin/ ./infra/cmd/dev
	@exec bin/dev $(ARGS)

.PHONY: fleet
fleet: build ## Run three edges, a balancer and Redis; nothing is kept (ARGS="-edges 5")
	@$(GOBUILD) -o bin/ ./infra/cmd/fleet
	@exec bin/fleet $(ARGS)

.PHONY: chaos
chaos: ## Run a fleet under faults and check every promise (SEED, MINUTES, SCENARIO)
	@$(GOBUILD) -o bin/ ./edge/cmd/edge ./infra/cmd/chaos ./cli/cmd/loadpeer
	@exec bin/chaos $(if $(SEED),-seed $(SEED)) $(if $(MINUTES),-minutes $(MINUTES)) $(if $(SCENARIO),-scenario $(SCENARIO)) $(ARGS)

.PHONY: test
test: redis ## Run all tests, raced and in random order
	@$(if $(RACE),,echo "no C compiler here: running without the race detector")
	CGO_ENABLED=$(if $(RACE),1,0) go test $(RACE) -shuffle=on -timeout 15m ./...

.PHONY: lint
lint: ## Report what gofumpt, vet, staticcheck and golangci-lint object to
	@unformatted=$$($(TOOL) gofumpt -l .) && test -z "$$unformatted" || { $(TOOL) gofumpt -d .; exit 1; }
	go vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) golangci-lint run ./...

.PHONY: tidy
tidy: ## Report what go mod tidy would change
	go mod tidy -diff

.PHONY: check
check: lint tidy test ## Everything that has to pass: lint, tidy, test

.PHONY: fmt
fmt: ## Format the code
	$(TOOL) gofumpt -w .

.PHONY: fuzz
fuzz: redis ## Run each fuzz target for FUZZTIME (20s)
	@grep -rho --include='*_test.go' '^func Fuzz[[:alnum:]_]*' . >/dev/null || echo "no fuzz target"
	@grep -ro --include='*_test.go' '^func Fuzz[[:alnum:]_]*' . | while IFS=: read -r file target; do \
		echo "$${target#func } in $$(dirname "$$file")"; \
		go test -run '^$$' -fuzz "^$${target#func }\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" || exit 1; \
	done

.PHONY: explore
explore: ## Explore the lease protocol widely, for MINUTES (10) in all
	EXPLORE_MINUTES=$(or $(MINUTES),10) go test -count=1 -timeout 0 -v -run '^TestExploreWide$$' ./presence

.PHONY: cover
cover: redis ## Measure how much the tests cover, over all packages; coverage.html shows where
	go test -timeout 15m -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -html=coverage.out -o coverage.html
	go tool cover -func=coverage.out | tail -n 1

.PHONY: tools
tools: ## Build the tools that lint uses, so that the next lint is quick
	cd infra/tools && go build -o /dev/null tool

.PHONY: redis
redis: ## Find a redis-server for the tests, or install one
	@go run ./infra/cmd/provision

.PHONY: clean
clean: ## Remove what build and cover made; the data of make run stay
	rm -rf bin coverage.out coverage.html

.PHONY: npm
npm: ## Pack the command line for npm into bin/npm, for four platforms
	go run ./infra/npm/cmd/npm -version $(VERSION)

.PHONY: bench
bench: redis ## Measure what a mesh costs beside bare Redis and gws (ARGS="-only direct,latency -rounds 5")
	@$(GOBUILD) -o bin/ ./edge/cmd/edge ./infra/cmd/bench
	@exec bin/bench $(ARGS)

.PHONY: bench-cli
bench-cli: build ## Measure `claudemesh peers` beside an empty Node process
	@$(GOBUILD) -o bin/ ./infra/cmd/dev
	@go run ./infra/cmd/benchcli

.PHONY: bench-resume
bench-resume: redis ## Measure what a resume costs the servers beside a whole handshake
	go test -run '^$$' -bench Resume -benchtime 1000x ./edge

.PHONY: bench-departures
bench-departures: redis ## Measure how late departures are announced among a million leases
	go test -run '^$$' -bench Departures -benchtime 1x -timeout 30m ./presence
