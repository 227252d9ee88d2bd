using AsrPlatform.Host.Learning.Registry;
using Microsoft.AspNetCore.SignalR;

namespace AsrPlatform.Host.Live;

/// <summary>Tells every connection of the hub which adapter is active, as soon as sessions get it: <c>AdapterPromoted</c>.</summary>
internal sealed class AdapterEvents(ActiveAdapters adapters, IHubContext<CaptionHub> hub, ILogger<AdapterEvents> logger) : IHostedService
{
    public const string Name = "AdapterPromoted";

    public Task StartAsync(CancellationToken cancellationToken)
    {
        adapters.Promoted += Send;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        adapters.Promoted -= Send;
        return Task.CompletedTask;
    }

    private void Send(Activation activation) => _ = SendAsync(new AdapterPromotion(
        activation.Adapter, activation.Previous, AdapterScope.Show(activation.Scope), activation.Reason, activation.Provisional));

    private async Task SendAsync(AdapterPromotion promotion)
    {
        try
        {
            await hub.Clients.All.SendAsync(Name, promotion);
        }
        catch (Exception error)
        {
            logger.LogError(error, "Connections could not be told of the adapter {Adapter}", promotion.Adapter);
        }
    }
}

/// <summary>What <c>AdapterPromoted</c> tells.</summary>
/// <param name="Adapter">What is active now; null: the base model.</param>
/// <param name="Previous">What was active before.</param>
/// <param name="Scope"><c>all</c>, <c>tenant:NAME</c> or <c>speaker:NAME</c>.</param>
/// <param name="Reason">Why.</param>
/// <param name="Provisional">Whether it is being watched.</param>
internal sealed record AdapterPromotion(string? Adapter, string? Previous, string Scope, string Reason, bool Provisional);
