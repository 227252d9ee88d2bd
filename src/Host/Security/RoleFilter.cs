using System.Reflection;
using AsrPlatform.Abstractions;
using Microsoft.AspNetCore.SignalR;

namespace AsrPlatform.Host.Security;

/// <summary>Lets hub methods be called from their least role on, and makes of every error one that a client can read.</summary>
/// <remarks>Errors inside of a stream, after its method has returned, are the hub's own to explain.</remarks>
internal sealed class RoleFilter(SecurityMetrics metrics, ILogger<RoleFilter> logger) : IHubFilter
{
    /// <summary>What is told of an error that is none of the client's.</summary>
    public static string Explain(Exception error) => error is AsrException ? error.Message : $"a defect of the host ({error.GetType().Name}): its log says more";

    public async ValueTask<object?> InvokeMethodAsync(HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        var caller = Caller.Of(invocationContext.Context);
        var least = invocationContext.HubMethod.GetCustomAttribute<LeastRoleAttribute>();
        var needed = least is null ? Role.Admin : least.Role;
        if (needed is { } role && (caller is null || caller.Role < role))
        {
            metrics.Refused("role_too_low");
            throw new HubException($"{invocationContext.HubMethodName} needs the role {role.NameOf()}; {(caller is null ? "this connection has none" : $"the key's is {caller.Role.NameOf()}")}");
        }

        try
        {
            return await next(invocationContext);
        }
        catch (Exception error) when (error is not (HubException or OperationCanceledException))
        {
            if (error is not AsrException)
            {
                logger.LogError(error, "A call of the hub failed");
            }

            throw new HubException(Explain(error));
        }
    }
}
