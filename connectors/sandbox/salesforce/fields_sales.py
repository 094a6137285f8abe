"""Fields of leads and opportunities, of their history and of what lies around them.

One line a field: name, type (size), flags, what it refers to (``>Object:Relation``), and the
compound field it is a part of (``@Name``). Flags: n may be null, c can be set, u can be changed,
N name field, d set by default, p subject to field permissions, x not filterable, k calculated.
``%audit`` stands for who and when. Opportunity and Lead are those of a fresh org; the histories,
stages and lines have no public recording and follow the documentation's field lists.
"""

SALES = {
    "Opportunity": """
Id id d
IsDeleted boolean d
AccountId reference ncup >Account:Account
IsPrivate boolean cudp
Name string(120) cuN
Description textarea(32000) ncupx
StageName picklist(255) cu
Amount currency(18,2) ncup
Probability percent(3,0) ncudp
ExpectedRevenue currency(18,2) np
TotalOpportunityQuantity double(18,2) ncup
CloseDate date cu
Type picklist(255) ncup
NextStep string(255) ncup
LeadSource picklist(255) ncup
IsClosed boolean d
IsWon boolean d
ForecastCategory picklist(40) -
ForecastCategoryName picklist(255) ncud
CampaignId reference ncup >Campaign:Campaign
HasOpportunityLineItem boolean d
Pricebook2Id reference ncud >Pricebook2:Pricebook2
OwnerId reference cud >User:Owner
%audit
LastActivityDate date n
LastStageChangeDate datetime n
FiscalQuarter int(8) n @Fiscal
FiscalYear int(8) n @Fiscal
Fiscal string(6) n
ContactId reference nc >Contact
LastViewedDate datetime n
LastReferencedDate datetime n
HasOpenActivity boolean dx
HasOverdueTask boolean dx
LastAmountChangedHistoryId reference n >OpportunityHistory:LastAmountChangedHistory
LastCloseDateChangedHistoryId reference n >OpportunityHistory:LastCloseDateChangedHistory
RecordTypeId reference ncu >RecordType:RecordType
CurrencyIsoCode picklist(3) ncud
PushCount int(9) n
Market_Segment__c picklist(255) ncup
Sales_Region__c picklist(255) ncup
Product_Line__c string(80) ncup
Gross_Margin__c currency(18,2) ncup
Contract_Months__c double(4,0) ncup
MRR__c currency(18,2) ncup
Loss_Reason__c picklist(255) ncup
Next_Step_On__c date ncup
Account_Region__c string(1300) npk
Notes__c textarea(32000) ncuxp
Postal_Code__c string(20) ncup
""",
    "Lead": """
Id id d
IsDeleted boolean d
MasterRecordId reference n >Lead:MasterRecord
LastName string(80) cu @Name
FirstName string(40) ncu @Name
Salutation picklist(40) ncu @Name
Name string(121) N
Title string(128) ncup
Company string(255) cu
Street textarea(255) ncup @Address
City string(40) ncup @Address
State string(80) ncup @Address
PostalCode string(20) ncup @Address
Country string(80) ncup @Address
Latitude double(18,15) ncup @Address
Longitude double(18,15) ncup @Address
GeocodeAccuracy picklist(40) ncup @Address
Address address np
Phone phone(40) ncup
MobilePhone phone(40) ncup
Fax phone(40) ncup
Email email(80) ncup
Website url(255) ncup
PhotoUrl url(255) n
Description textarea(32000) ncupx
LeadSource picklist(255) ncup
Status picklist(255) cud
Industry picklist(255) ncup
Rating picklist(255) ncup
AnnualRevenue currency(18,0) ncup
NumberOfEmployees int(8) ncup
OwnerId reference cud >Group|User:Owner
IsConverted boolean cd
ConvertedDate date n
ConvertedAccountId reference n >Account:ConvertedAccount
ConvertedContactId reference n >Contact:ConvertedContact
ConvertedOpportunityId reference n >Opportunity:ConvertedOpportunity
IsUnreadByOwner boolean cud
%audit
LastActivityDate date n
LastViewedDate datetime n
LastReferencedDate datetime n
Jigsaw string(20) ncup
JigsawContactId string(20) n
CleanStatus picklist(40) ncup
CompanyDunsNumber string(9) ncup
DandbCompanyId reference ncup >DandBCompany:DandbCompany
EmailBouncedReason string(255) nu
EmailBouncedDate datetime nu
IndividualId reference ncu >Individual:Individual
RecordTypeId reference ncu >RecordType:RecordType
CurrencyIsoCode picklist(3) ncud
Channel__c picklist(255) ncup
In_Profile__c boolean cudp
""",
    "OpportunityHistory": """
Id id d
OpportunityId reference - >Opportunity:Opportunity
CreatedById reference d >User:CreatedBy
CreatedDate datetime d
StageName picklist(255) -
Amount currency(18,2) n
ExpectedRevenue currency(18,2) n
CloseDate date n
Probability percent(3,0) n
ForecastCategory picklist(40) -
CurrencyIsoCode picklist(3) n
SystemModstamp datetime d
IsDeleted boolean d
PrevAmount currency(18,2) n
PrevCloseDate date n
""",
    "OpportunityFieldHistory": """
Id id d
IsDeleted boolean d
OpportunityId reference - >Opportunity:Opportunity
CreatedById reference d >User:CreatedBy
CreatedDate datetime d
Field picklist(255) -
DataType picklist(255) n
OldValue anyType nx
NewValue anyType nx
""",
    "LeadHistory": """
Id id d
IsDeleted boolean d
LeadId reference - >Lead:Lead
CreatedById reference d >User:CreatedBy
CreatedDate datetime d
Field picklist(255) -
DataType picklist(255) n
OldValue anyType nx
NewValue anyType nx
""",
    "OpportunityStage": """
Id id d
MasterLabel string(255) nN
ApiName string(255) n
IsActive boolean d
SortOrder int(9) n
IsClosed boolean d
IsWon boolean d
ForecastCategory picklist(40) -
ForecastCategoryName picklist(255) -
DefaultProbability percent(3,0) n
Description string(255) n
%audit
""",
    "LeadStatus": """
Id id d
MasterLabel string(255) nN
ApiName string(255) n
SortOrder int(9) n
IsDefault boolean d
IsConverted boolean d
%audit
""",
    "OpportunityLineItem": """
Id id d
OpportunityId reference c >Opportunity:Opportunity
SortOrder int(9) n
PricebookEntryId reference nc >PricebookEntry:PricebookEntry
Product2Id reference nc >Product2:Product2
ProductCode string(255) n
Name string(376) nN
Quantity double(12,2) cu
TotalPrice currency(18,2) ncu
UnitPrice currency(18,2) ncu
ListPrice currency(18,2) n
ServiceDate date ncup
Description string(255) ncup
CurrencyIsoCode picklist(3) n
%audit
IsDeleted boolean d
MRR__c currency(18,2) ncup
Starts_On__c date ncup
Ends_On__c date ncup
""",
}
