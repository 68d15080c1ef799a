// Package openapi describes routes as an OpenAPI 3.1 document. The document is
// made from the very table that the routes are served by and the very types
// that bodies are read into and written from, so that it cannot fall behind.
package openapi
