using System.Text.Json.Serialization;

namespace AsrPlatform.Host.Api.OpenAi;

/// <summary>The error object of OpenAI's API. Every member is written, null ones too.</summary>
/// <param name="Message">For people.</param>
/// <param name="Type">Such as <c>invalid_request_error</c>; a name of <see cref="OpenAiErrorTypes"/>.</param>
/// <param name="Param">The parameter at fault; null when it is none.</param>
/// <param name="Code">For programs; null when there is none.</param>
internal sealed record OpenAiError(
    string Message,
    string Type,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Param = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Code = null)
{
    /// <summary>The answer of a failed request: <c>{"error": {…}}</c>.</summary>
    public IResult ToResult(int statusCode) => Results.Json(new { Error = this }, OpenAiJson.Options, statusCode: statusCode);
}

/// <summary>OpenAI's error types.</summary>
internal static class OpenAiErrorTypes
{
    public const string InvalidRequest = "invalid_request_error";
    public const string RateLimit = "rate_limit_error";
    public const string Server = "server_error";
}

/// <summary>A request that is answered with an error.</summary>
internal sealed class OpenAiException(int statusCode, OpenAiError error) : Exception(error.Message)
{
    public int StatusCode => statusCode;

    public OpenAiError Error => error;

    /// <summary>What the client sent cannot be used: 400.</summary>
    public static OpenAiException Invalid(string message, string? param = null, string? code = null) =>
        new(StatusCodes.Status400BadRequest, new OpenAiError(message, OpenAiErrorTypes.InvalidRequest, param, code));
}
