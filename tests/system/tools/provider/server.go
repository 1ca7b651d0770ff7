package main

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// server answers what `tofu validate` and `tofu test` with a mocked provider ask; the checks that these make against
// the schema are OpenTofu's own.
type server struct {
	refusing
	schemas *tfprotov6.GetProviderSchemaResponse
}

func (s server) GetProviderSchema(
	context.Context, *tfprotov6.GetProviderSchemaRequest,
) (*tfprotov6.GetProviderSchemaResponse, error) {
	return s.schemas, nil
}

func (s server) GetMetadata(
	context.Context, *tfprotov6.GetMetadataRequest,
) (*tfprotov6.GetMetadataResponse, error) {
	answer := &tfprotov6.GetMetadataResponse{}
	for name := range s.schemas.ResourceSchemas {
		answer.Resources = append(answer.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	return answer, nil
}

func (server) GetResourceIdentitySchemas(
	context.Context, *tfprotov6.GetResourceIdentitySchemasRequest,
) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (server) GetFunctions(
	context.Context, *tfprotov6.GetFunctionsRequest,
) (*tfprotov6.GetFunctionsResponse, error) {
	return &tfprotov6.GetFunctionsResponse{}, nil
}

func (server) ValidateProviderConfig(
	_ context.Context, request *tfprotov6.ValidateProviderConfigRequest,
) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: request.Config}, nil
}

// ValidateResourceConfig makes the checks that are left to providers: those of them that the schema tells, and that
// ids are ids, which mocks easily get wrong.
func (s server) ValidateResourceConfig(
	_ context.Context, request *tfprotov6.ValidateResourceConfigRequest,
) (*tfprotov6.ValidateResourceConfigResponse, error) {
	known, err := s.find(request.TypeName)
	if err != nil {
		return nil, err
	}
	config, err := request.Config.Unmarshal(known.ValueType())
	if err != nil {
		return nil, err
	}
	refused, err := refuse(known.Block, config)
	return &tfprotov6.ValidateResourceConfigResponse{Diagnostics: refused}, err
}

// UpgradeResourceState gives mocked state back as it is: there is one version of each schema.
func (s server) UpgradeResourceState(
	_ context.Context, request *tfprotov6.UpgradeResourceStateRequest,
) (*tfprotov6.UpgradeResourceStateResponse, error) {
	known, err := s.find(request.TypeName)
	if err != nil {
		return nil, err
	}
	value, err := request.RawState.Unmarshal(known.ValueType())
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(known.ValueType(), value)
	if err != nil {
		return nil, err
	}
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &state}, nil
}

func (s server) find(resource string) (*tfprotov6.Schema, error) {
	known, ok := s.schemas.ResourceSchemas[resource]
	if !ok {
		return nil, fmt.Errorf("there is no resource %s", resource)
	}
	return known, nil
}

func (server) StopProvider(
	context.Context, *tfprotov6.StopProviderRequest,
) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}
