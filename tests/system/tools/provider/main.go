// A provider that knows another's schema, and nothing else: with it `tofu validate` and mocked `tofu test` run where
// the other cannot be downloaded. The schema lies beside the program, in the form of `tofu providers schema -json`.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	schemas, err := readSchemas(filepath.Join(filepath.Dir(program), "schema.json"))
	if err != nil {
		return err
	}
	return tf6server.Serve("stand-in", func() tfprotov6.ProviderServer { return server{schemas: schemas} })
}
