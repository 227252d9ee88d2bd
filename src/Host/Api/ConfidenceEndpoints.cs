using AsrPlatform.Host.Learning.Confidence;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Api;

/// <summary><c>/api/confidence</c>: how word confidences are calibrated; <c>/api/corrections/suggestions</c>: what to correct first.</summary>
internal static class ConfidenceEndpoints
{
    private const int DefaultLimit = 20;
    private const int LargestLimit = 200;

    public static void MapConfidence(this IEndpointRouteBuilder app)
    {
        app.MapGet("/api/confidence", (ConfidenceStore store) => Results.Json(new { items = store.Read() })).RequireRole(Role.Viewer);
        app.MapPost("/api/confidence", (ConfidenceStore store, ConfidenceUpdates updates, TimeProvider time) =>
        {
            var (fitted, leftOut) = store.Fit(time.GetUtcNow());
            updates.Refresh();
            return Results.Json(new { items = fitted, leftOut });
        }).RequireRole(Role.Admin);
        app.MapGet("/api/corrections/suggestions", Suggest).RequireRole(Role.Viewer);
    }

    private static IResult Suggest(ConfidenceStore store, ModelHost model, string? session = null, int limit = DefaultLimit) => limit is < 1 or > LargestLimit
        ? Results.Problem($"limit is {limit}; it must be 1 … {LargestLimit}.", statusCode: StatusCodes.Status400BadRequest)
        : Results.Json(new { items = store.Suggest(session, limit, model.Confidence) });
}
