using AsrPlatform.Host.Api.OpenAi;

namespace AsrPlatform.Host.Security;

/// <summary>Answers a request that is refused: in OpenAI's shape under <c>/v1</c>, else as <c>application/problem+json</c>.</summary>
internal static class Refusal
{
    /// <summary>Writes the answer, unless one has begun.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">HTTP's status.</param>
    /// <param name="code">What a program tells refusals by, such as <c>invalid_api_key</c>.</param>
    /// <param name="message">What is wrong and what to do.</param>
    public static Task WriteAsync(HttpContext context, int status, string code, string message)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return Task.CompletedTask;
        }

        if (status == StatusCodes.Status401Unauthorized)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
        }

        if (!context.Request.Path.StartsWithSegments("/v1", StringComparison.OrdinalIgnoreCase))
        {
            return Results.Problem(message, statusCode: status, extensions: [new("code", code)]).ExecuteAsync(context);
        }

        var type = status switch
        {
            StatusCodes.Status429TooManyRequests => OpenAiErrorTypes.RateLimit,
            >= 500 => OpenAiErrorTypes.Server,
            _ => OpenAiErrorTypes.InvalidRequest,
        };
        return new OpenAiError(message, type, Code: code).ToResult(status).ExecuteAsync(context);
    }
}
