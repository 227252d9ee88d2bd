using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Security;
using Microsoft.Net.Http.Headers;

namespace AsrPlatform.Host.Api;

/// <summary><c>/api/corrections</c>: what people corrected, what is to become of it, and how to have it forgotten.</summary>
internal static class CorrectionEndpoints
{
    private const int DefaultPage = 100;
    private const int LargestPage = 1000;

    public static void MapCorrections(this IEndpointRouteBuilder app)
    {
        // Whoever may only watch sees captions, not who corrected them, nor hears the voice.
        app.MapGet("/api/corrections", List).RequireRole(Role.Corrector);
        app.MapGet("/api/corrections/{number:long}", (long number, CorrectionStore corrections) =>
            corrections.Find(number) is { } correction ? Show(corrections, correction) : NoCorrection(number)).RequireRole(Role.Corrector);
        app.MapGet("/api/corrections/{number:long}/audio", Audio).RequireRole(Role.Corrector);
        app.MapPost("/api/corrections", SubmitAsync).RequireRole(Role.Corrector);
        app.MapPost("/api/corrections/{number:long}/release", (long number, CorrectionStore corrections) => ReviewAsync(number, corrections, isReleased: true)).RequireRole(Role.Admin);
        app.MapPost("/api/corrections/{number:long}/refuse", (long number, CorrectionStore corrections) => ReviewAsync(number, corrections, isReleased: false)).RequireRole(Role.Admin);
        app.MapDelete("/api/corrections/{number:long}", async (long number, LiveSessionStore sessions) =>
            await sessions.DeleteCorrectionsAsync([number], "it was deleted") > 0 ? Results.NoContent() : NoCorrection(number)).RequireRole(Role.Admin);
        app.MapDelete("/api/corrections", DeleteAuthorAsync).RequireRole(Role.Admin);
    }

    /// <summary>The newest first; <c>next</c> is the <c>after</c> of the next page, null on the last.</summary>
    private static IResult List(CorrectionStore corrections, string? state = null, string? session = null, string? author = null, long? after = null, int limit = DefaultPage)
    {
        if (limit is < 1 or > LargestPage)
        {
            throw new AsrException($"limit is {limit}; it must be 1 … {LargestPage}");
        }

        var filter = new CorrectionFilter(string.IsNullOrEmpty(state) ? null : ParseState(state), session, author);
        var page = corrections.List(filter, after, limit);
        var inTraining = corrections.InTraining();
        return Results.Json(new { items = page.Select(correction => CorrectionItem.Of(correction, inTraining)), next = page.Count == limit ? page[^1].Number : (long?)null });
    }

    private static CorrectionState ParseState(string state) => CorrectionRows.StateOf(state)
        ?? throw new AsrException($"unknown state '{(state.Length > 40 ? state[..40] + "…" : state)}': use {string.Join(", ", Enum.GetValues<CorrectionState>().Select(CorrectionRows.NameOf))}");

    private static IResult Audio(long number, CorrectionStore corrections)
    {
        if (corrections.Find(number) is not { Clip: { } clip } || !corrections.Clips.Has(clip))
        {
            return NoCorrection(number);
        }

        return Results.File(corrections.Clips.FileOf(clip), "audio/wav", entityTag: new EntityTagHeaderValue($"\"{clip}\""), enableRangeProcessing: true);
    }

    private static async Task<IResult> SubmitAsync(Correction correction, HttpContext context, LiveSessionStore sessions, CorrectionLimiter limiter) =>
        limiter.Refuse(Caller.Of(context)!, correction.Author) is { } refused
            ? Results.Problem(refused, statusCode: StatusCodes.Status429TooManyRequests, extensions: [new("code", "rate_limit_exceeded")])
            : Results.Json(await sessions.CorrectAsync(correction));

    private static async Task<IResult> ReviewAsync(long number, CorrectionStore corrections, bool isReleased) =>
        await corrections.ReviewAsync(number, isReleased) is { } correction ? Show(corrections, correction) : NoCorrection(number);

    private static async Task<IResult> DeleteAuthorAsync(CorrectionStore corrections, LiveSessionStore sessions, string? author = null)
    {
        if (string.IsNullOrWhiteSpace(author))
        {
            throw new AsrException("say whose corrections are to be deleted: ?author=NAME");
        }

        return Results.Json(new { deleted = await sessions.DeleteCorrectionsAsync(corrections.OfAuthor(author), "its author's corrections were deleted") });
    }

    private static IResult Show(CorrectionStore corrections, StoredCorrection correction) => Results.Json(CorrectionItem.Of(correction, corrections.InTraining()));

    private static IResult NoCorrection(long number) => Results.Problem($"There is no correction {number}, or it has none of that.", statusCode: StatusCodes.Status404NotFound);
}
