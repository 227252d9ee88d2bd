using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Transcripts;
using Microsoft.Net.Http.Headers;

namespace AsrPlatform.Host.Api;

/// <summary><c>/api/sessions</c>: running sessions and those that are over.</summary>
internal static class SessionEndpoints
{
    private const int DefaultPage = 100;
    private const int LargestPage = 1000;

    private static readonly string[] CaptionFormats = ["vtt", "srt", "json", "txt"];

    public static void MapSessions(this IEndpointRouteBuilder app)
    {
        app.MapGet("/api/sessions", List).RequireRole(Role.Viewer);
        app.MapGet("/api/sessions/{id}", (string id, LiveSessionStore sessions) =>
            sessions.Describe(id) is { } session ? Results.Json(session) : NoSession(id)).RequireRole(Role.Viewer);
        app.MapPost("/api/sessions/{id}/end", EndAsync).RequireRole(Role.Speaker);
        app.MapDelete("/api/sessions/{id}", async (string id, LiveSessionStore sessions, CancellationToken cancellationToken) =>
            await sessions.DeleteAsync(id, cancellationToken) ? Results.NoContent() : NoSession(id)).RequireRole(Role.Admin);
        app.MapGet("/api/sessions/{id}/captions.{format}", Captions).RequireRole(Role.Viewer);

        // Whoever may only watch gets the words, not the voice.
        app.MapGet("/api/sessions/{id}/audio.wav", Audio).RequireRole(Role.Corrector);
    }

    /// <summary>The newest first. A page that is full names the next one in its Link header.</summary>
    private static IResult List(LiveSessionStore sessions, HttpContext context, string? state = null, string? before = null, int limit = DefaultPage)
    {
        if (limit is < 1 or > LargestPage)
        {
            return Results.Problem($"limit is {limit}; it must be 1 … {LargestPage}.", statusCode: StatusCodes.Status400BadRequest);
        }

        var page = sessions.List(state, before, limit);
        if (page.Count == limit)
        {
            var next = QueryString.Create([new("limit", limit.ToString(System.Globalization.CultureInfo.InvariantCulture)), new("before", page[^1].SessionId), .. state is null ? [] : new KeyValuePair<string, string?>[] { new("state", state) }]);
            context.Response.Headers.Link = $"</api/sessions{next}>; rel=\"next\"";
        }

        return Results.Json(page);
    }

    private static async Task<IResult> EndAsync(string id, LiveSessionStore sessions, CancellationToken cancellationToken) =>
        sessions.Describe(id) is null ? NoSession(id) : Results.Json(await sessions.EndAsync(id, cancellationToken));

    private static IResult Captions(string id, string format, LiveSessionStore sessions, bool tentative = false)
    {
        if (sessions.Captions(id) is not var (all, sampleRateHz))
        {
            return NoSession(id);
        }

        // A caption without text is one that was taken back.
        var captions = all.Where(caption => (tentative || caption.State != CaptionState.Tentative) && caption.Text.Length > 0).ToArray();
        var cues = CaptionJoin.Cues(captions, sampleRateHz);
        return format switch
        {
            "vtt" => Results.Text(TranscriptFormat.Vtt(cues), "text/vtt; charset=utf-8"),
            "srt" => Results.Text(TranscriptFormat.Srt(cues), "application/x-subrip; charset=utf-8"),
            "txt" => Results.Text(string.Concat(CaptionJoin.Utterances(captions).Select(text => text + "\n")), "text/plain; charset=utf-8"),
            "json" => Results.Json(captions),
            _ => NotFound($"Captions come as {string.Join(", ", CaptionFormats)}."),
        };
    }

    /// <summary>What is kept so far, whole or in ranges; of a running session it is longer each time, which its entity tag says.</summary>
    private static IResult Audio(string id, LiveSessionStore sessions) => sessions.OpenAudio(id) is { } audio
        ? Results.Stream(audio, "audio/wav", entityTag: new EntityTagHeaderValue($"\"{audio.Length:x}\""), enableRangeProcessing: true)
        : NoSession(id);

    private static IResult NoSession(string id) => NotFound($"There is no session '{id}'.");

    private static IResult NotFound(string detail) => Results.Problem(detail, statusCode: StatusCodes.Status404NotFound);
}
