// Package config is what the two functions read from the environment.
package config
