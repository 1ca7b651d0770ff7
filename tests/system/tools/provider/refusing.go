package main

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

var errRefused = errors.New(
	"this only stands in for the provider, with its schema: it can be validated against and mocked, " +
		"and creates, changes and reads nothing",
)

// refusing refuses all that would need the real provider.
type refusing struct{}

func (refusing) ConfigureProvider(
	context.Context, *tfprotov6.ConfigureProviderRequest,
) (*tfprotov6.ConfigureProviderResponse, error) {
	return nil, errRefused
}

func (refusing) ReadResource(
	context.Context, *tfprotov6.ReadResourceRequest,
) (*tfprotov6.ReadResourceResponse, error) {
	return nil, errRefused
}

func (refusing) PlanResourceChange(
	context.Context, *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	return nil, errRefused
}

func (refusing) ApplyResourceChange(
	context.Context, *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return nil, errRefused
}

func (refusing) ImportResourceState(
	context.Context, *tfprotov6.ImportResourceStateRequest,
) (*tfprotov6.ImportResourceStateResponse, error) {
	return nil, errRefused
}

func (refusing) MoveResourceState(
	context.Context, *tfprotov6.MoveResourceStateRequest,
) (*tfprotov6.MoveResourceStateResponse, error) {
	return nil, errRefused
}

func (refusing) UpgradeResourceIdentity(
	context.Context, *tfprotov6.UpgradeResourceIdentityRequest,
) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return nil, errRefused
}

func (refusing) GenerateResourceConfig(
	context.Context, *tfprotov6.GenerateResourceConfigRequest,
) (*tfprotov6.GenerateResourceConfigResponse, error) {
	return nil, errRefused
}

func (refusing) ValidateDataResourceConfig(
	context.Context, *tfprotov6.ValidateDataResourceConfigRequest,
) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return nil, errRefused
}

func (refusing) ReadDataSource(
	context.Context, *tfprotov6.ReadDataSourceRequest,
) (*tfprotov6.ReadDataSourceResponse, error) {
	return nil, errRefused
}

func (refusing) CallFunction(
	context.Context, *tfprotov6.CallFunctionRequest,
) (*tfprotov6.CallFunctionResponse, error) {
	return nil, errRefused
}

func (refusing) ValidateEphemeralResourceConfig(
	context.Context, *tfprotov6.ValidateEphemeralResourceConfigRequest,
) (*tfprotov6.ValidateEphemeralResourceConfigResponse, error) {
	return nil, errRefused
}

func (refusing) OpenEphemeralResource(
	context.Context, *tfprotov6.OpenEphemeralResourceRequest,
) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	return nil, errRefused
}

func (refusing) RenewEphemeralResource(
	context.Context, *tfprotov6.RenewEphemeralResourceRequest,
) (*tfprotov6.RenewEphemeralResourceResponse, error) {
	return nil, errRefused
}

func (refusing) CloseEphemeralResource(
	context.Context, *tfprotov6.CloseEphemeralResourceRequest,
) (*tfprotov6.CloseEphemeralResourceResponse, error) {
	return nil, errRefused
}
