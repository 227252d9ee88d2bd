using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Api;

/// <summary>The HTTP endpoints beside the hub. Errors are <c>application/problem+json</c>.</summary>
internal static class ApiEndpoints
{
    public static void MapApi(this IEndpointRouteBuilder app)
    {
        app.MapGet("/health/live", () => Results.Json(new { status = "live" }));
        app.MapGet("/health/ready", Ready);
        app.MapSessions();
        app.MapGet("/api/plugins", (PluginCatalog plugins) => plugins.Statuses);
        app.MapFallback("/api/{**path}", (HttpContext context) => NotFound($"There is no {context.Request.Path}."));
    }

    private static IResult Ready(ModelHost model)
    {
        var snapshot = model.Snapshot;
        return snapshot.Info is { } info
            ? Results.Json(new { status = "ready", model = info.Name, backend = info.Backend, adapter = info.AdapterVersion, languages = info.Languages, sampleRateHz = info.SampleRateHz })
            : Results.Problem(
                snapshot.Reason ?? "The model is being loaded.",
                statusCode: StatusCodes.Status503ServiceUnavailable,
                title: snapshot.Status == ModelStatus.Loading ? "Loading" : "Not ready");
    }

    private static IResult NotFound(string detail) => Results.Problem(detail, statusCode: StatusCodes.Status404NotFound);
}
